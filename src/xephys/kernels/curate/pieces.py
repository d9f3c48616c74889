"""Find pieces of a drifting neuron: units that take turns over displacement and meet in one waveform.

A neuron that was split where it moved leaves two units. One fires while the tissue is low and the other while it is
high, and at the displacement between them their templates, each learned from spikes seen there, are the same. Two
neurons, in contrast, fire side by side at every displacement, however alike they look.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.metrics.spike_trains import are_two_neurons, coincidences

__all__ = ["PIECE", "find_pieces", "join_pieces", "joined_trains"]

PIECE = np.dtype(
    [
        ("unit", np.int64),
        ("piece_of", np.int64),
        ("displacement_um", np.float64),
        ("residual", np.float64),
        ("side_by_side", np.float64),
        ("observed", np.int64),
        ("expected", np.float64),
        ("lag", np.int64),
    ]
)
"""A unit that is a piece of another one, and the evidence."""

#: Maximum difference of the two templates where they meet, as a fraction of the smaller one's norm, if the units never
#: fire side by side. Where they meet, each was seen seldom and its template is interpolated from elsewhere.
RESIDUAL_MAX = 0.75
#: Maximum share of their spikes that two pieces fire side by side, at the same displacements.
SIDE_BY_SIDE_MAX = 0.35
#: The more they do, the more similar they must be: the maximum residual falls by this times the share.
RESIDUAL_PER_SHARE = 1.0
#: Spikes count for the displacements around theirs, with a weight that falls off over this distance.
REACH_UM = 5.0
#: Maximum lag: pieces may be aligned to different phases of a spike, because the largest deflection changes with
#: displacement.
LAG_MAX = 30
#: Minimum share of the energy of either template in the samples that both windows cover at that lag.
COMMON_ENERGY_MIN = 0.8


def find_pieces(
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    counts: NDArray[np.int64],
    trains: list[NDArray[np.int64]],
    *,
    displacement_um: NDArray[np.float64],
    n_channels: int,
    refractory_samples: int,
    dead_samples: int,
    duration_samples: int,
) -> NDArray[np.void]:
    """Find units that are pieces of one neuron.

    Parameters
    ----------
    templates : float32 array of shape (unit, displacement, sample, slot)
    channels : int32 array of shape (unit, slot)
        Channel of each slot, -1 where empty.
    counts : int64 array of shape (unit, displacement)
        Number of spikes of each unit at each displacement.
    trains : list of int64 arrays
        Samples of the units, ascending.
    displacement_um : float64 array of shape (displacement,)
    n_channels : int
    refractory_samples, dead_samples, duration_samples : int
        As for `spike_trains.coincidences`.

    Returns
    -------
    structured array of dtype `PIECE`
        In the order in which they are joined; ``lag`` is added to the samples of ``unit``.

    Examples
    --------
    >>> templates = np.ones((2, 3, 1, 1), np.float32)
    >>> found = find_pieces(10 * templates, np.zeros((2, 1), np.int32), np.array([[90, 9, 0], [0, 8, 80]]),
    ...     [np.arange(99) * 1000, np.arange(88) * 1000 + 100_000], displacement_um=np.array([-10.0, 0.0, 10.0]),
    ...     n_channels=1, refractory_samples=60, dead_samples=15, duration_samples=200_000)
    >>> found[["unit", "piece_of"]].tolist()
    [(1, 0)]
    """
    apart = displacement_um[:, None] - displacement_um[None]
    spread = counts @ np.exp(-0.5 * (apart / REACH_UM) ** 2)
    pairs = []
    dense = _on_channels(templates, channels, n_channels)
    for first, second in _neighbors(dense, counts):
        meeting = int(np.minimum(spread[first], spread[second]).argmax())
        residual, lag = _residual(dense[first][meeting], dense[second][meeting])
        if residual <= RESIDUAL_MAX:
            large, small = (first, second) if counts[first].sum() >= counts[second].sum() else (second, first)
            pairs.append((residual, large, small, lag if small == second else -lag, float(displacement_um[meeting])))
    piece_of, offset = np.arange(len(counts)), np.zeros(len(counts), np.int64)
    fired, joined, found = counts.astype(np.float64), list(trains), []
    for residual, large, small, lag, meeting_um in sorted(pairs):
        first, second = int(piece_of[large]), int(piece_of[small])
        # Lag between the two groups, given the current alignment of their units.
        delay = int(lag + offset[large] - offset[small])
        aligned = joined[second] + delay
        side_by_side = _share_side_by_side(fired[first], fired[second])
        observed, expected = coincidences(
            joined[first],
            aligned,
            refractory_samples=refractory_samples,
            dead_samples=dead_samples,
            duration_samples=duration_samples,
        )
        too_many = are_two_neurons(observed, expected)
        alike = residual <= RESIDUAL_MAX - RESIDUAL_PER_SHARE * side_by_side
        if first == second or side_by_side > SIDE_BY_SIDE_MAX or too_many or not alike:
            continue
        found.append((second, first, meeting_um, residual, side_by_side, observed, expected, delay))
        moved = piece_of == second
        piece_of[moved], offset[moved] = first, offset[moved] + delay
        fired[first] += fired[second]
        joined[first] = np.sort(np.concatenate([joined[first], aligned]))
    return np.array(found, PIECE)


def join_pieces(
    target: NDArray[np.integer], shift: NDArray[np.integer], pieces: NDArray[np.void]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The target of every unit after pieces are joined, and the shift of its samples.

    Parameters
    ----------
    target, shift : integer array of shape (unit,)
        Earlier decisions; a dropped unit has the target -1.
    pieces : structured array of dtype `PIECE`

    Returns
    -------
    target, shift : int64 array of shape (unit,)

    Examples
    --------
    >>> pieces = np.zeros(1, PIECE)
    >>> pieces["unit"], pieces["piece_of"], pieces["lag"] = 2, 0, 3
    >>> [values.tolist() for values in join_pieces(np.array([0, 1, 2, 2]), np.zeros(4, int), pieces)]
    [[0, 1, 0, 0], [0, 0, 3, 3]]
    """
    joined, moved = target.astype(np.int64), shift.astype(np.int64)
    for row in pieces:
        own, other = joined[row["unit"]], joined[row["piece_of"]]
        if own >= 0 and other >= 0 and own != other:
            members = joined == own
            moved[members] += row["lag"]
            joined[members] = other
    return joined, moved


def joined_trains(
    trains: list[NDArray[np.int64]], target: NDArray[np.int64], shift: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """The trains of the units after joining; that of a unit that joined another, or was dropped, is empty.

    Examples
    --------
    >>> trains = [np.array([1, 9]), np.array([4]), np.array([6])]
    >>> [train.tolist() for train in joined_trains(trains, np.array([0, 0, -1]), np.array([0, 2, 0]))]
    [[1, 6, 9], [], []]
    """
    together = [train[:0] for train in trains]
    for unit in np.unique(target[target >= 0]).tolist():
        members = np.flatnonzero(target == unit)
        moved = [trains[member] + shift[member] for member in members]
        together[unit] = np.sort(np.concatenate(moved)) if len(members) > 1 else moved[0]
    return together


def _on_channels(templates: NDArray[np.float32], channels: NDArray[np.int32], n_channels: int) -> NDArray[np.float32]:
    n_units, n_displacements, n_samples, _ = templates.shape
    dense = np.zeros((n_units, n_displacements, n_samples, n_channels), np.float32)
    for unit in range(n_units):
        used = channels[unit] >= 0
        dense[unit][:, :, channels[unit, used]] = templates[unit][:, :, used]
    return dense


def _neighbors(dense: NDArray[np.float32], counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs of units whose footprints overlap at the displacements between theirs, which rules out most pairs."""
    energy = (dense.astype(np.float64) ** 2).sum(axis=2).mean(axis=1)
    footprint = np.sqrt(energy / np.maximum(energy.sum(axis=1, keepdims=True), 1e-30))
    alike = np.triu(footprint @ footprint.T, 1) > 0.7
    fires = counts.sum(axis=1) > 0
    return [(int(a), int(b)) for a, b in np.argwhere(alike & fires[:, None] & fires[None])]


def _residual(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, int]:
    """Difference of two waveforms at the best lag, as a fraction of the smaller norm; by how much spikes of the second
    move then.
    """
    lag_max = min(LAG_MAX, len(first) - 1)
    shared, energy_first, energy_second = _overlaps(first, second, lag_max)
    # Of lags that fit equally well, the smallest comes first.
    order = np.argsort(np.abs(np.arange(-lag_max, lag_max + 1)), kind="stable")
    smaller = np.minimum(energy_first, energy_second)
    covered = (energy_first >= COMMON_ENERGY_MIN * energy_first.max()) & (
        energy_second >= COMMON_ENERGY_MIN * energy_second.max()
    )
    usable = covered & (smaller > 0)
    if not usable.any():
        return np.inf, 0
    squares = np.maximum(energy_first + energy_second - 2 * shared, 0.0)
    relative = np.where(usable, squares / np.maximum(smaller, 1e-30), np.inf)[order]
    best = int(relative.argmin())
    return float(np.sqrt(relative[best])), lag_max - int(order[best])


@kernel
def _overlaps(
    first: NDArray[np.float32], second: NDArray[np.float32], lag_max: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Inner product of two waveforms, the second one delayed by each lag, and the energy of each in common samples."""
    n_samples, n_channels = first.shape
    shared = zeros(2 * lag_max + 1)
    energy_first, energy_second = zeros(2 * lag_max + 1), zeros(2 * lag_max + 1)
    rows_first, rows_second = zeros(n_samples), zeros(n_samples)
    for t in range(n_samples):
        for c in range(n_channels):
            rows_first[t] += first[t, c] * first[t, c]
            rows_second[t] += second[t, c] * second[t, c]
    for k in range(2 * lag_max + 1):
        lag = k - lag_max
        for t in range(max(0, lag), min(n_samples, n_samples + lag)):
            energy_first[k] += rows_first[t]
            energy_second[k] += rows_second[t - lag]
            total = np.float32(0.0)
            for c in range(n_channels):
                total += first[t, c] * second[t - lag, c]
            shared[k] += total
    return shared, energy_first, energy_second


def _share_side_by_side(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Share of the spikes that two units fire at the same displacements: 1 for units that never take turns."""
    return float(np.minimum(first / max(first.sum(), 1), second / max(second.sum(), 1)).sum())
