"""The grid of universal templates: places where spikes may come from, and how they would look from there.

A universal template is a place, a Gaussian envelope over the contacts around it, and one of a few shapes in time. The
shapes are learned from the recording; places and envelopes follow from the geometry of the probe alone (Pachitariu,
Sridhar, Pennington & Stringer 2024, Nature Methods 21:914).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Minimum step: a finer grid does not localize spikes better, but rows of contacts may be closer.
SMALLEST_STEP_UM = 4.0

#: Number of places whose distances to all others are held at once: the full table for 20 000 places takes gigabytes.
BLOCK_PLACES = 512


class UniversalGrid(NamedTuple):
    """Places, the contacts around them, envelopes on these contacts, and the competing places."""

    places: NDArray[np.float64]
    contacts: NDArray[np.int32]
    envelopes: NDArray[np.float32]
    neighbors: NDArray[np.int32]


def row_distance(positions: NDArray[np.floating]) -> float:
    """Median distance between neighboring rows of contacts, in µm; 1 if there is a single row.

    Rows nearer than `SMALLEST_STEP_UM` count as one.

    Examples
    --------
    >>> row_distance(np.array([[0, 0], [16, 0], [0, 20.0], [0, 40]]))
    20.0
    """
    gaps = np.diff(np.unique(np.asarray(positions, np.float64)[:, 1]))
    gaps = gaps[gaps >= SMALLEST_STEP_UM]
    return float(np.median(gaps)) if gaps.size else 1.0


def grid_places(
    positions: NDArray[np.floating], *, dmin: float, dminx: float, max_channel_distance: float
) -> NDArray[np.float64]:
    """Grid over one shank, without the places that are far from every contact.

    Parameters
    ----------
    positions : (contact, 2)
        Contacts of the shank, µm.
    dmin, dminx : float
        Twice the step of the grid along y and, approximately, along x.
    max_channel_distance : float
        Places farther than this from the nearest contact are left out.

    Returns
    -------
    (place, 2) float64
        In order of y, then x.

    Examples
    --------
    >>> grid_places(np.array([[0, 0], [0, 20.0]]), dmin=20, dminx=32, max_channel_distance=32).tolist()
    [[0.0, 0.0], [0.0, 10.0], [0.0, 20.0]]
    """
    contacts = np.asarray(positions, np.float64)
    low, high = contacts.min(axis=0), contacts.max(axis=0)
    across = np.linspace(low[0], high[0], round((high[0] - low[0]) / (dminx / 2)) + 1)
    along = np.arange(low[1], high[1] + 1e-6, dmin / 2)
    x, y = np.meshgrid(across, along)
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    distance = np.linalg.norm(places[:, None] - contacts[None], axis=2).min(axis=1)
    kept: NDArray[np.float64] = places[distance <= max_channel_distance + 1e-6]
    return kept


def count_places(
    positions: NDArray[np.floating],
    *,
    shanks: NDArray[np.integer],
    good: NDArray[np.bool_],
    dmin: float,
    dminx: float,
) -> float:
    """Approximate number of places that `universal_grid` examines: those around each shank, however far apart shanks
    are.

    Examples
    --------
    >>> far = np.array([[0, 0], [0, 20.0], [500, 9000], [500, 9020.0]])
    >>> count_places(far, shanks=np.array([0, 0, 1, 1]), good=np.ones(4, bool), dmin=20.0, dminx=32.0)
    6.0
    """
    total = 0.0
    for shank in np.unique(shanks[good]):
        width, height = np.ptp(positions[good & (shanks == shank), :2], axis=0)
        total += float((width / (dminx / 2) + 1) * (height / (dmin / 2) + 1))
    return total


def _competing_places(places: NDArray[np.float64], *, n_competing: int) -> NDArray[np.int32]:
    """The nearest places of each place, itself first, ties in order of place; padded with -1."""
    neighbors = np.full((len(places), n_competing), -1, np.int32)
    for first in range(0, len(places), BLOCK_PLACES):
        block = places[first : first + BLOCK_PLACES]
        between = np.round(((block[:, None] - places[None]) ** 2).sum(axis=2), 6)
        between[np.arange(len(block)), first + np.arange(len(block))] = -1.0
        nearest = np.argsort(between, axis=1, kind="stable")[:, :n_competing]
        neighbors[first : first + len(block), : nearest.shape[1]] = nearest
    return neighbors


def universal_grid(
    positions: NDArray[np.floating],
    *,
    shanks: NDArray[np.integer] | None = None,
    good: NDArray[np.bool_] | None = None,
    dmin: float | None = None,
    dminx: float = 32.0,
    min_template_size: float = 10.0,
    template_sizes: int = 5,
    n_contacts: int = 10,
    n_competing: int = 100,
    max_channel_distance: float = 32.0,
) -> UniversalGrid:
    """Places, contacts and envelopes of the universal templates of a probe, separately for each shank.

    Parameters
    ----------
    positions : (channel, 2)
        µm.
    shanks : (channel,) int, optional
        Shank of each channel; one shank if None.
    good : (channel,) bool, optional
        False for channels that are left out.
    dmin, dminx, max_channel_distance : float
        See `grid_places`; ``dmin`` is `row_distance` if None.
    min_template_size : float
        Smallest size of an envelope, µm; the others are its multiples. An envelope of size s falls off as
        ``exp(-(distance / s)²)``.
    template_sizes : int
        Number of sizes.
    n_contacts : int
        Contacts per template: the nearest ones.
    n_competing : int
        Number of places that compete for a spike: the nearest ones.

    Returns
    -------
    places : (place, 2) float64
    contacts : (place, slot) int32
        Nearest first. If a shank has fewer contacts, the last slots repeat the first with weight 0.
    envelopes : (size, place, slot) float32
        Of unit norm.
    neighbors : (place, k) int32
        Nearest first, starting with the place itself; padded with -1.

    Examples
    --------
    >>> grid = universal_grid(np.array([[0, 0], [0, 20.0], [0, 40]]), n_contacts=2, template_sizes=1)
    >>> len(grid.places), grid.contacts[0].tolist(), grid.envelopes[0, 1].round(2)
    (5, [0, 1], array([0.71, 0.71], dtype=float32))
    """
    everywhere = np.asarray(positions, np.float64)[:, :2]
    usable = np.ones(len(everywhere), bool) if good is None else np.asarray(good, bool)
    shank_of = np.zeros(len(everywhere), np.int64) if shanks is None else np.asarray(shanks)
    step = row_distance(everywhere[usable]) if dmin is None else float(dmin)
    parts: list[UniversalGrid] = []
    first = 0
    for shank in np.unique(shank_of[usable]):
        own = np.flatnonzero(usable & (shank_of == shank))
        places = grid_places(everywhere[own], dmin=step, dminx=dminx, max_channel_distance=max_channel_distance)
        squares = np.round(((places[:, None] - everywhere[own][None]) ** 2).sum(axis=2), 6)
        order = np.argsort(squares, axis=1, kind="stable")[:, :n_contacts]
        near = np.take_along_axis(squares, order, axis=1)
        contacts = np.repeat(own[order[:, :1]], n_contacts, axis=1).astype(np.int32)
        contacts[:, : order.shape[1]] = own[order]
        envelopes = np.zeros((template_sizes, len(places), n_contacts))
        for j in range(template_sizes):
            # Relative to the nearest contact, so that a narrow envelope between contacts does not vanish.
            falling = np.exp(-(near - near[:, :1]) / ((j + 1) * min_template_size) ** 2)
            envelopes[j, :, : order.shape[1]] = falling / np.linalg.norm(falling, axis=1, keepdims=True)
        neighbors = _competing_places(places, n_competing=n_competing)
        neighbors[neighbors >= 0] += first
        parts.append(UniversalGrid(places, contacts, envelopes.astype(np.float32), neighbors))
        first += len(places)
    if not parts:
        return UniversalGrid(
            np.zeros((0, 2)),
            np.zeros((0, n_contacts), np.int32),
            np.zeros((template_sizes, 0, n_contacts), np.float32),
            np.zeros((0, n_competing), np.int32),
        )
    return UniversalGrid(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.contacts for part in parts]),
        np.concatenate([part.envelopes for part in parts], axis=1),
        np.concatenate([part.neighbors for part in parts]),
    )
