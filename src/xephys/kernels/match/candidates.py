"""Candidates of the matching pursuit: scores, spikes taken so far, and the best candidate of each unit and block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import inner
from xephys.kernels.lib.lanes import LANES, count_less, load_f32, splat_f32
from xephys.kernels.match.limits import Limits, Pairs
from xephys.kernels.match.pairs import amplitude_and_gain

__all__ = ["SEARCH_SAMPLES", "Board", "Events", "doubt_of", "search"]

#: Samples of a block, of which only the best candidate of each unit is stored.
SEARCH_SAMPLES = 32


class Events(NamedTuple):
    """Spikes taken so far; those of a block of samples are linked, and withdrawn ones have unit -1."""

    unit: NDArray[np.int64]
    sample: NDArray[np.int64]
    shift: NDArray[np.int64]
    following: NDArray[np.int64]
    amplitude: NDArray[np.float64]
    gain: NDArray[np.float64]


class Board(NamedTuple):
    """Scores, and the best candidates by (block, unit) and by block."""

    scores: NDArray[np.float32]
    energies: NDArray[np.float64]
    minimum: NDArray[np.float32]
    unit_gain: NDArray[np.float64]
    unit_sample: NDArray[np.int64]
    block_gain: NDArray[np.float64]
    block_unit: NDArray[np.int64]
    first_event: NDArray[np.int64]


@inner
def doubt_of(board: Board, events: Events, pairs: Pairs, limits: Limits, unit: int, sample: int) -> float:
    """Gain to be doubted because of spikes already taken nearby; infinite within the unit's refractory period."""
    handicap = 0.0
    radius = max(limits.refractory_samples, limits.guard_samples)
    first = max(sample - radius, 0) // SEARCH_SAMPLES
    last = min((sample + radius) // SEARCH_SAMPLES, board.first_event.size - 1)
    for block in range(first, last + 1):
        event = board.first_event[block]
        while event >= 0:
            other = events.unit[event]
            distance = abs(events.sample[event] - sample)
            if other == unit and distance <= limits.refractory_samples:
                return np.inf
            if other >= 0 and distance <= limits.guard_samples:
                for pair in range(pairs.starts[other], pairs.starts[other + 1]):
                    if pairs.units[pair] == unit:
                        handicap += events.amplitude[event] ** 2 * pairs.likeness[pair]
            event = events.following[event]
    return limits.mismatch * handicap / limits.noise_gain


@inner
def _is_peak(scores: NDArray[np.float32], sample: int) -> bool:
    """Whether a score is no lower than its neighbors, so that the flank of a refused peak is not taken instead."""
    return (sample == 0 or scores[sample] >= scores[sample - 1]) and (
        sample == scores.size - 1 or scores[sample] >= scores[sample + 1]
    )


@inner
def _all_below(scores: NDArray[np.float32], start: int, minimum: float) -> bool:
    """Whether all scores of a block are below a minimum; a NaN is not."""
    lowest, n_below = splat_f32(minimum), 0
    for t in range(start, start + SEARCH_SAMPLES, LANES):
        n_below += count_less(load_f32(scores, t), lowest)
    return n_below == SEARCH_SAMPLES


@inner
def search(
    board: Board, events: Events, pairs: Pairs, limits: Limits, units: NDArray[np.int32], first: int, last: int
) -> None:
    """Find the best candidate of these units again in blocks `first` to `last`."""
    n_units, n_samples = board.scores.shape
    for unit in units:
        # One view per unit: each view counts a reference atomically, which costs as much as a search of a block.
        scores, minimum = board.scores[unit], board.minimum[unit]
        for block in range(first, last + 1):
            start = block * SEARCH_SAMPLES
            stop = min(start + SEARCH_SAMPLES, n_samples)
            best, best_sample = -np.inf, 0
            if stop - start < SEARCH_SAMPLES or not _all_below(scores, start, minimum):
                for t in range(start, stop):
                    if scores[t] >= minimum and _is_peak(scores, t):
                        _, gain = amplitude_and_gain(board.energies[unit], limits, np.float64(scores[t]))
                        if gain > best:
                            gain -= doubt_of(board, events, pairs, limits, unit, t)
                            if gain > best and gain >= limits.match_threshold**2:
                                best, best_sample = gain, t
            board.unit_gain[block, unit] = best
            board.unit_sample[block, unit] = best_sample
    if n_units == 0:
        return
    for block in range(first, last + 1):
        best, best_unit = board.block_gain[block], board.block_unit[block]
        if board.unit_gain[block, best_unit] < best:  # the best one of the block got worse, so any unit may be next
            best = -np.inf
            for unit in range(n_units):
                if board.unit_gain[block, unit] > best:
                    best, best_unit = board.unit_gain[block, unit], unit
        else:
            best = board.unit_gain[block, best_unit]
            for unit in units:
                gain = board.unit_gain[block, unit]
                if gain > best or (gain == best and unit < best_unit):
                    best, best_unit = gain, unit
        board.block_gain[block], board.block_unit[block] = best, best_unit
