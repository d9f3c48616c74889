"""Footprints of units that depend neither on the channel map nor on the position of the tissue.

A template is interpolated to a small grid of places around the unit itself. A neuron then has the same footprint in two
sessions whose tissue is displaced by 30 µm, or that were recorded from other rows of a probe, and units can be compared
before anything is known about motion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..lib.interpolate.kriging import NUGGET, matern

#: Rows of the grid, relative to the unit's depth.
ROWS_UM = np.arange(-75.0, 76.0, 15.0)
#: Columns of the grid, relative to the unit, on shanks that are too wide for fixed columns.
COLUMNS_UM = np.arange(-45.0, 46.0, 15.0)
#: Shanks wider than this get a grid that moves with the unit in both directions.
WIDE_UM = 120.0
#: Number of contacts from which a footprint is interpolated.
N_CONTACTS_MAX = 44
#: A place is left out if the contacts leave more than this share of the variance of its value uncertain.
UNCERTAINTY_MAX = 0.5
#: Variance of the noise on a contact that was not recorded, relative to that of the signal.
UNKNOWN_NUGGET = 1e6
#: Half width in samples of the stretch around the extremum in which the middle of a trough is searched.
TROUGH_SAMPLES = 10
#: Distances from the largest contact at which a neuron is much smaller than there, in µm.
FAR_UM = (50.0, 150.0)
#: Number of units whose systems of equations are solved together; bounds the memory.
BATCH = 512


def unit_sizes(templates: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Size on every channel, largest channel, and size there, from the time course of the largest channel.

    Parameters
    ----------
    templates : (unit, sample, channel)

    Returns
    -------
    sizes : (unit, channel)
        How much of the largest channel's time course each channel shows, as peak-to-trough; noise adds no bias.
    peak_channel : (unit,)
    amplitude : (unit,)
        Peak-to-trough on the largest channel.

    Examples
    --------
    >>> sizes, peak, amplitude = unit_sizes(np.float32([[[0, 0], [-4, -2], [2, 1]]]))
    >>> sizes.tolist(), peak.tolist(), amplitude.tolist()
    ([[6.0, 3.0]], [0], [6.0])
    """
    values = np.asarray(templates, np.float64)
    spans = np.ptp(values, axis=1)
    peak = spans.argmax(axis=1)
    amplitude = spans[np.arange(len(values)), peak]
    course = np.take_along_axis(values, peak[:, None, None], axis=2)[:, :, 0]
    energy = np.maximum((course**2).sum(axis=1), 1e-12)
    sizes = np.einsum("usc,us->uc", values, course) * (amplitude / energy)[:, None]
    return np.maximum(sizes, 0.0), peak.astype(np.int64), amplitude


def far_shares(
    templates: NDArray[np.float32],
    sizes: NDArray[np.float64],
    peak_channel: NDArray[np.int64],
    distances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of its size that a unit keeps on the contacts far from its largest one: the median over these.

    The spike of a neuron is a point source and fades within tens of µm. An artifact reaches all contacts alike.

    Parameters
    ----------
    templates : (unit, sample, channel)
        Channels that are zero throughout count as not recorded.
    sizes : (unit, channel)
        From :func:`unit_sizes`.
    peak_channel : (unit,)
    distances : (channel, channel)
        In µm; infinite between shanks.

    Returns
    -------
    (unit,)
        Zero for units with fewer than two far contacts.

    Examples
    --------
    >>> contacts = 40.0 * np.arange(4); between = np.abs(contacts[:, None] - contacts)
    >>> templates = np.float32([[[-9, -5, -3, -3]], [[-9, -9, -9, -8]]])
    >>> far_shares(templates, np.abs(templates[:, 0]).astype(float), np.zeros(2, int), between).round(2).tolist()
    [0.33, 0.94]
    """
    apart = distances[peak_channel]
    known = np.abs(templates).max(axis=1) > 0
    far = known & (apart >= FAR_UM[0]) & (apart <= FAR_UM[1])
    largest = np.maximum(np.take_along_axis(sizes, peak_channel[:, None], axis=1), 1e-12)
    enough = far.sum(axis=1) >= 2
    out = np.zeros(len(sizes))
    out[enough] = np.nanmedian(np.where(far, sizes / largest, np.nan)[enough], axis=1)
    return out


def aligned(templates: NDArray[np.float32], peak_channel: NDArray[np.int64], *, nbefore: int) -> NDArray[np.float32]:
    """Shift templates so that the middle of the trough of the largest channel is at sample ``nbefore``.

    The middle is the mean time of the fourth power around the extremum. Noise moves it far less than the extremum
    itself, which jumps by samples on a wide trough. Values between samples are interpolated by cubic convolution (Keys
    1981, IEEE Trans. ASSP 29:1153), and the ends are filled with 0.

    Examples
    --------
    >>> aligned(np.float32([[[0], [0], [-1], [-4], [-1]]]), np.array([0]), nbefore=2)[0, :, 0].tolist()
    [0.0, -1.0, -4.0, -1.0, 0.0]
    """
    n_samples = templates.shape[1]
    course = np.take_along_axis(templates, peak_channel[:, None, None], axis=2)[:, :, 0].astype(np.float64)
    time = np.arange(n_samples) - np.abs(course).argmax(axis=1)[:, None]
    weight = np.where(np.abs(time) <= TROUGH_SAMPLES, course**4, 0.0)
    total = np.maximum(weight.sum(axis=1), 1e-30)
    at = np.abs(course).argmax(axis=1) + (weight * time).sum(axis=1) / total - nbefore
    whole = np.floor(at).astype(np.int64)
    share = (at - whole).astype(np.float32)[:, None, None]
    taps = (
        ((2 - share) * share - 1) * share / 2, ((3 * share - 5) * share**2 + 2) / 2,
        ((4 - 3 * share) * share + 1) * share / 2, (share - 1) * share**2 / 2,
    )  # fmt: skip
    out = np.zeros(templates.shape, np.float32)
    for tap, weights in enumerate(taps):
        sample = np.arange(n_samples)[None] + whole[:, None] + tap - 1
        inside = (sample >= 0) & (sample < n_samples)
        moved = np.take_along_axis(templates, np.clip(sample, 0, n_samples - 1)[:, :, None], axis=1)
        out += weights * np.where(inside[:, :, None], moved, np.float32(0))
    return out


def grid_places(positions: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places of the grid around each unit, ``(unit, place, 2)`` in µm.

    On a narrow shank, the columns are fixed at its edges and its middle, because the position of a footprint across the
    shank distinguishes neurons. On a wide shank, the columns move with the unit.
    """
    low, high = positions[:, 0].min(), positions[:, 0].max()
    wide = high - low > WIDE_UM
    columns = COLUMNS_UM if wide else np.unique([low, (low + high) / 2, high])
    grid = np.stack(np.meshgrid(columns, ROWS_UM, indexing="ij"), axis=-1).reshape(-1, 2)
    center = np.column_stack([places[:, 0] if wide else np.zeros(len(places)), places[:, 1]])
    return np.asarray(grid[None] + center[:, None])


def unit_footprints(
    templates: NDArray[np.float32], positions: NDArray[np.float64], places: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Interpolate templates to the places of a grid around each unit.

    Parameters
    ----------
    templates : (unit, sample, channel)
        Aligned templates on the channels of one shank. Channels that are zero throughout count as not recorded.
    positions : (channel, 2)
    places : (unit, 2)
        Locations of the units.

    Returns
    -------
    footprints : (unit, place, sample)
        Zero where the contacts do not determine the value.
    valid : (unit, place)
        True where the contacts determine the value.

    Examples
    --------
    >>> contacts = np.column_stack([np.zeros(12), np.arange(12) * 20.0])
    >>> template = np.full((1, 5, 12), 0.01, np.float32); template[0, 2, 6] = -1
    >>> footprints, valid = unit_footprints(template, contacts, np.array([[0.0, 120.0]]))
    >>> footprints.shape, int(np.abs(footprints).max(axis=2).argmax()), bool(valid.all())
    ((1, 11, 5), 5, True)
    """
    grid = grid_places(positions, places)
    footprints = np.zeros((len(templates), grid.shape[1], templates.shape[1]), np.float32)
    valid = np.zeros(grid.shape[:2], np.bool_)
    for start in range(0, len(templates), BATCH):
        batch = slice(start, start + BATCH)
        footprints[batch], valid[batch] = _interpolated(nearby(templates[batch], positions, places[batch]), grid[batch])
    return footprints, valid


class Nearby(NamedTuple):
    """The contacts around each unit."""

    values: NDArray[np.float32]
    """(unit, sample, contact)"""
    positions: NDArray[np.float64]
    """(unit, contact, 2)"""
    recorded: NDArray[np.bool_]
    """(unit, contact)"""
    covariance: NDArray[np.float64]
    """(unit, contact, contact)"""


def nearby(templates: NDArray[np.float32], positions: NDArray[np.float64], places: NDArray[np.float64]) -> Nearby:
    """The nearest contacts of each unit; channels that are zero throughout count as not recorded."""
    recorded = np.abs(templates).max(axis=1) > 0
    distances = np.where(recorded, np.linalg.norm(positions[None] - places[:, None], axis=2), np.inf)
    near = np.argsort(distances, axis=1, kind="stable")[:, :N_CONTACTS_MAX]
    known = positions[near]
    among = matern(np.linalg.norm(known[:, :, None] - known[:, None], axis=3))
    here = np.take_along_axis(recorded, near, axis=1)
    among += np.where(here, NUGGET, UNKNOWN_NUGGET)[:, :, None] * np.eye(near.shape[1])
    return Nearby(np.take_along_axis(templates, near[:, None, :], axis=2), known, here, among)


def _interpolated(around: Nearby, grid: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    across = matern(np.linalg.norm(around.positions[:, :, None] - grid[:, None], axis=3))
    weights = np.linalg.solve(around.covariance, across)
    valid = 1.0 - (weights * across).sum(axis=1) < UNCERTAINTY_MAX
    footprints = np.matmul(around.values, weights).transpose(0, 2, 1)
    return np.where(valid[:, :, None], footprints, 0.0).astype(np.float32), valid


def surprises(
    templates: NDArray[np.float32], positions: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much of each template is news: the share of its energy that contacts do not predict from the others.

    The error of every contact from all others follows from one inverse (Dubrule 1983, Math Geol 15:687). It is small
    where a template is smooth compared with the distances of the contacts. It is large for a unit that is next to a
    contact, beyond the last one, or hidden in noise; the footprint, the amplitude and the location of such a unit
    change as the tissue moves.

    Parameters
    ----------
    templates : (unit, sample, channel)
        Channels that are zero throughout count as not recorded.
    positions : (channel, 2)
    places : (unit, 2)

    Returns
    -------
    (unit,)
        More than 1 if a contact stands alone: it is not predicted, and predicts wrongly what its neighbors see.

    Examples
    --------
    >>> contacts = np.column_stack([np.zeros(12), np.arange(12) * 20.0])
    >>> wide, narrow = (np.exp(-(((contacts[:, 1] - 120.0) / width) ** 2)) for width in (50.0, 5.0))
    >>> found = surprises(np.float32([[wide], [narrow]]), contacts, np.full((2, 2), [0.0, 120.0]))
    >>> bool(found[0] < 0.1), bool(found[1] > 1)
    (True, True)
    """
    out = np.zeros(len(templates))
    for start in range(0, len(templates), BATCH):
        batch = slice(start, start + BATCH)
        around = nearby(templates[batch], positions, places[batch])
        inverse = np.linalg.inv(around.covariance)
        scale = np.diagonal(inverse, axis1=1, axis2=2)
        errors = np.where(around.recorded[:, None], np.matmul(around.values, inverse) / scale[:, None], 0.0)
        energy = np.maximum((around.values.astype(np.float64) ** 2).sum(axis=(1, 2)), 1e-12)
        out[batch] = (errors**2).sum(axis=(1, 2)) / energy
    return out
