"""Templates as functions of displacement: learned from spikes at all displacements, not from interpolated traces.

A spike seen at displacement ``d`` shows what the template is at ``d``, on the contacts themselves. Where many spikes
were seen, their mean is the template. Where there were few, means at nearby displacements contribute, moved over the
small remaining distance by interpolating between contacts. A neuron that was never seen at a displacement gets the
template from the nearest ones, moved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.interpolate.kriging import interpolation_weights

__all__ = ["factor_moving", "moving_templates"]

#: At this distance, means have a weight of 0.6 relative to those at the displacement itself.
WIDTH_UM = 3.0
#: With fewer spikes within reach, means from farther away contribute.
N_SPIKES_MIN = 100
#: Displacements with a smaller share of the weight are left out.
WEIGHT_MIN = 1e-3


def moving_templates(
    means: NDArray[np.float32],
    counts: NDArray[np.int64],
    *,
    displacement_um: NDArray[np.float64],
    channels: NDArray[np.int32],
    positions_um: NDArray[np.float64],
    wanted_um: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Templates of each unit at each displacement, from the means of the spikes seen there and nearby.

    Parameters
    ----------
    means : float32 array of shape (unit, displacement, sample, slot)
        Mean waveforms; ignored where `counts` is 0.
    counts : int64 array of shape (unit, displacement)
        Number of spikes averaged in each.
    displacement_um : float64 array of shape (displacement,)
    channels : int32 array of shape (unit, slot)
        Channel of each slot, at every displacement; -1 where empty.
    positions_um : float64 array of shape (channel, 2)
    wanted_um : float64 array of shape (wanted,), optional
        Displacements of the templates; those of the means if None.

    Returns
    -------
    templates : float32 array of shape (unit, wanted, sample, slot)
        Zero for units without spikes.
    n_averaged : int64 array of shape (unit, wanted)
        Effective number of spikes behind each template.

    Examples
    --------
    >>> means, counts = np.ones((1, 2, 1, 1), np.float32), np.array([[500, 0]])
    >>> templates, n = moving_templates(means, counts, displacement_um=np.array([0.0, 2.0]),
    ...                                 channels=np.zeros((1, 1), np.int32), positions_um=np.zeros((1, 2)))
    >>> templates.shape, n.tolist()
    ((1, 2, 1, 1), [[500, 400]])
    """
    wanted = displacement_um if wanted_um is None else wanted_um
    templates = np.zeros((len(means), len(wanted), *means.shape[2:]), np.float32)
    n_averaged = np.zeros(templates.shape[:2], np.int64)
    for unit in range(len(means)):
        used = np.flatnonzero(channels[unit] >= 0)
        own = np.asarray(means[unit][:, :, used], np.float64)
        places = positions_um[channels[unit, used], :2]
        operators: dict[float, NDArray[np.float64]] = {}
        for index, at in enumerate(wanted.tolist()):
            moved = np.round(at - displacement_um, 6)
            weights = _weights(counts[unit], moved)
            total = np.zeros(own.shape[1:])
            for other in np.flatnonzero(weights > WEIGHT_MIN * weights.sum()).tolist():
                way = float(moved[other])
                if way not in operators:
                    operators[way] = _displacement_weights(places, way)
                total += weights[other] * (own[other] @ operators[way].T)
            if weights.sum() > 0:
                templates[unit, index][:, used] = total / weights.sum()
                n_averaged[unit, index] = max(int(weights.sum()), 1)
    return templates, n_averaged


def _weights(counts: NDArray[np.int64], moved_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of the mean at each displacement: by number of spikes, decaying with distance, as near as possible."""
    width, enough = WIDTH_UM, min(N_SPIKES_MIN, 0.8 * counts.sum())
    while True:
        weights = counts * np.exp(-0.5 * (moved_um / width) ** 2)
        if weights.sum() >= enough:
            return np.asarray(weights, np.float64)
        width *= 1.5


def _displacement_weights(places_um: NDArray[np.float64], way_um: float) -> NDArray[np.float64]:
    """Weights ``(contact, contact)`` that give the values on contacts after a pattern has moved along y."""
    if way_um == 0 or not len(places_um):
        return np.eye(len(places_um))
    return interpolation_weights(places_um, places_um - np.array([0.0, way_um]))


def factor_moving(
    templates: NDArray[np.float32], *, counts: NDArray[np.int64], channels: NDArray[np.int32], rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Templates as time courses that a unit keeps at every displacement, and patterns on channels that move.

    Parameters
    ----------
    templates : float32 array of shape (unit, displacement, sample, slot)
    counts : int64 array of shape (unit, displacement)
        Number of spikes averaged in each; displacements without any do not affect the time courses.
    channels : int32 array of shape (unit, slot)
    rank : int
        Number of time courses per unit.

    Returns
    -------
    temporal : float32 array of shape (unit, rank, sample)
        Orthonormal.
    patterns : float32 array of shape (unit, displacement, rank, slot)

    Examples
    --------
    >>> course = np.array([0.0, -1.0, 0.0], np.float32)
    >>> templates = (np.array([[1.0], [2.0]])[None, :, None, :] * course[None, None, :, None]).astype(np.float32)
    >>> temporal, patterns = factor_moving(templates, counts=np.array([[9, 9]]), channels=np.array([[0]]), rank=1)
    >>> (temporal[0, 0, 1] * patterns[0, :, 0, 0]).tolist()
    [-1.0, -2.0]
    """
    n_units, n_displacements, n_samples, n_slots = templates.shape
    kept = min(rank, n_samples)
    temporal = np.zeros((n_units, kept, n_samples), np.float32)
    patterns = np.zeros((n_units, n_displacements, kept, n_slots), np.float32)
    for unit in range(n_units):
        own = np.where(channels[unit] >= 0, templates[unit], 0).astype(np.float64)
        seen = own[counts[unit] > 0]
        scatter = np.einsum("dsk,dtk->st", seen, seen, optimize=True)
        _, vectors = np.linalg.eigh(scatter)
        courses = vectors[:, ::-1][:, :kept].T
        peak = np.abs(courses).argmax(axis=1)
        courses = courses * np.sign(courses[np.arange(kept), peak])[:, None]
        temporal[unit] = courses
        patterns[unit] = np.einsum("rs,dsk->drk", courses, own, optimize=True)
    return temporal, patterns
