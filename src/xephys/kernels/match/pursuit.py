"""Matching pursuit on template scores: the spike that explains most is taken first, and each is reconsidered later.

A spike of unit ``u`` with amplitude ``s`` lowers the squared residual by ``2 s b - s² e`` (``b`` the score, ``e`` the
template's energy). In noise whose projection on the template has variance ``g e``, and with a Gaussian prior on the
amplitude, mean 1 and standard deviation σ, twice the gain in log posterior is ``(2 s b - s² e) / g - (s - 1)² / σ²``,
greatest at ``s = (b + g/σ²) / (e + g/σ²)`` (the form used by DARTsort and YASS; Lee et al. 2020, bioRxiv
2020.03.18.997924).

Only the best candidate of each (unit, block of samples) is stored. A pick changes scores only of units that share a
channel and within one template length, so only those blocks are searched again. Picks that are far apart do not affect
each other, and taking them one after another costs no more than taking them at once.

Greedy picks err where spikes overlap: the first one taken may be a unit that fits the sum of two. In a sweep, each
spike is put back and the best candidates in its place are chosen again, now that its neighbors in time are explained;
the best choice may be two spikes at once (`pairs`). Two spikes that collide are put back together, because either of
two wrong ones is right beside the other: one is too late, and the other one explains what it leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full, grown, zeros
from xephys.kernels.lib.inner import INNER, helper, inner, kernel
from xephys.kernels.lib.lanes import LANES, prefetch
from xephys.kernels.match.candidates import SEARCH_SAMPLES, Board, Events, doubt_of, search
from xephys.kernels.match.limits import Limits, Pairs
from xephys.kernels.match.pairs import Stretch, amplitude_and_gain, larger_of_pair, sub_sample_peak

#: Two spikes are put back together if the square of their cosine, where they overlap, is above this.
COLLIDING = 0.01


@njit(**INNER, fastmath={"contract"})
def _add_spike(
    board: Board, events: Events, pairs: Pairs, limits: Limits, unit: int, sample: int, shift: int, amplitude: float
) -> tuple[int, int]:
    """Change the scores by one spike (taken: negative amplitude) and search the affected blocks, which are returned."""
    n_samples = board.scores.shape[1]
    reach = pairs.overlaps.shape[2] // 2
    low, high = max(sample - reach, 0), min(sample + reach + 1, n_samples)
    touched = pairs.units[pairs.starts[unit] : pairs.starts[unit + 1]]
    scale = np.float32(amplitude)
    # Positions are unsigned, as in `candidates.search`, and no views are made, which would count references atomically.
    scores, overlaps = board.scores, pairs.overlaps
    start, lag, size = np.uintp(low), np.uintp(low - sample + reach), np.uintp(high - low)
    row_samples, row_lags = scores.shape[1], overlaps.shape[1] * overlaps.shape[2]
    for index in range(touched.size):
        other, pair = touched[index], pairs.starts[unit] + index
        # What comes after next is fetched: neither the scores of a tile nor the overlaps of all pairs fit into a cache.
        following = min(index + 2, touched.size - 1)
        scores_ahead = touched[following] * row_samples + low
        overlaps_ahead = (pairs.starts[unit] + following) * row_lags + shift * overlaps.shape[2] + low - sample + reach
        for t in range(0, high - low, LANES):
            prefetch(scores, scores_ahead + t)
            prefetch(overlaps, overlaps_ahead + t)
        for t in range(size):
            scores[other, start + t] += scale * overlaps[pair, shift, lag + t]
    # One more sample than was changed, because a peak depends on its neighbors; more if a spike excludes others beyond
    # its template.
    margin = max(reach, limits.refractory_samples, limits.guard_samples) + 1
    first, last = max(sample - margin, 0), min(sample + margin, n_samples - 1)
    first, last = first // SEARCH_SAMPLES, last // SEARCH_SAMPLES
    search(board, events, pairs, limits, touched, first, last)
    return first, last


@inner
def _take(
    board: Board,
    events: Events,
    pairs: Pairs,
    limits: Limits,
    event: int,
    unit: int,
    sample: int,
    shift: int,
    amplitude: float,
    gain: float,
) -> tuple[int, int]:
    """Record a spike as number `event` and subtract it from the scores; returns the blocks that it affected."""
    block = sample // SEARCH_SAMPLES
    events.unit[event], events.sample[event], events.shift[event] = unit, sample, shift
    events.amplitude[event], events.gain[event] = amplitude, gain
    events.following[event] = board.first_event[block]
    board.first_event[block] = event
    first, last = _add_spike(board, events, pairs, limits, unit, sample, shift, -amplitude)
    return first, last


@inner
def _put_back(board: Board, events: Events, pairs: Pairs, limits: Limits, event: int) -> tuple[int, int]:
    """Withdraw a spike; returns the blocks that it affected."""
    unit = events.unit[event]
    events.unit[event] = -1
    first, last = _add_spike(
        board, events, pairs, limits, unit, events.sample[event], events.shift[event], events.amplitude[event]
    )
    return first, last


@inner
def _take_all(
    board: Board, events: Events, pairs: Pairs, limits: Limits, n_events: int, first: int, last: int
) -> tuple[int, int, int]:
    """Take candidates, best first, until none is left, or no room for another; returns their number and the blocks.

    Ties go to the earlier block, then the lower unit and sample. Candidates lie in blocks `first` to `last`, except
    those uncovered by a spike taken there.
    """
    while n_events < events.unit.size:
        block, best = 0, -np.inf
        for b in range(first, last + 1):
            if board.block_gain[b] > best:
                block, best = b, board.block_gain[b]
        if best == -np.inf:
            break
        unit = board.block_unit[block]
        sample = board.unit_sample[block, unit]
        score, shift = sub_sample_peak(board.scores[unit], sample, pairs.overlaps.shape[1])
        amplitude, gain = amplitude_and_gain(board.energies[unit], limits, score)
        low, high = _take(board, events, pairs, limits, n_events, unit, sample, shift, amplitude, gain)
        n_events += 1
        first, last = min(first, low), max(last, high)
    return n_events, first, last


@helper
def _take_of_pair(
    board: Board, events: Events, pairs: Pairs, limits: Limits, n_events: int, unit: int, sample: int
) -> tuple[int, int, int]:
    """If two spikes explain more than one in place of the one put back, take the larger, for which there is room.

    Returns the number of spikes and the affected blocks.
    """
    block = sample // SEARCH_SAMPLES
    if np.isinf(pairs.unexplained[unit]):
        return n_events, block, block
    radius = max(limits.guard_samples, limits.refractory_samples)
    start = max(sample - radius, 1)
    stop = max(min(sample + radius + 1, board.scores.shape[1] - 1), start)
    units = pairs.units[pairs.starts[unit] : pairs.starts[unit + 1]]
    doubt = zeros((units.size, stop - start))
    stretch = Stretch(board.scores, units.astype(np.int64), units, start, stop, doubt)
    doubted = False
    while True:
        found, at, shift, amplitude, gain = larger_of_pair(
            stretch, board.energies, board.minimum, pairs, limits, not doubted
        )
        if found < 0:
            return n_events, block, block
        if doubted:
            break
        for k in range(units.size):  # a find is rare, so doubts are computed only now
            for t in range(start, stop):
                doubt[k, t - start] = doubt_of(board, events, pairs, limits, units[k], t)
        doubted = True
    first, last = _take(board, events, pairs, limits, n_events, found, at, shift, amplitude, gain)
    return n_events + 1, first, last


@inner
def _colliding(board: Board, events: Events, pairs: Pairs, limits: Limits, event: int, n_pending: int) -> int:
    """The spike, among those still to be put back, that resembles a spike most where they overlap; -1 for none.

    Spikes that are not weighed as pairs have none.
    """
    unit, sample, shift = events.unit[event], events.sample[event], events.shift[event]
    found, most = -1, COLLIDING * board.energies[unit]
    if np.isinf(pairs.unexplained[unit]):
        return found
    reach = pairs.overlaps.shape[2] // 2
    radius = min(max(limits.guard_samples, limits.refractory_samples), reach)
    first = max(sample - radius, 0) // SEARCH_SAMPLES
    last = min((sample + radius) // SEARCH_SAMPLES, board.first_event.size - 1)
    for block in range(first, last + 1):
        other = board.first_event[block]
        while other >= 0:
            lag = events.sample[other] - sample
            if abs(lag) <= radius and event < other < n_pending and events.unit[other] >= 0:
                for pair in range(pairs.starts[unit], pairs.starts[unit + 1]):
                    if pairs.units[pair] == events.unit[other]:
                        overlap = np.float64(pairs.overlaps[pair, shift, lag + reach])
                        alike = overlap * overlap / board.energies[events.unit[other]]
                        if alike > most or (alike == most and other < found):
                            found, most = other, alike
            other = events.following[other]
    return found


@helper
def _with_room(events: Events, n_events: int) -> Events:
    """The events, in longer arrays if these are full."""
    if n_events < events.unit.size:
        return events
    return Events(
        grown(events.unit, 2 * events.unit.size),
        grown(events.sample, 2 * events.sample.size),
        grown(events.shift, 2 * events.shift.size),
        grown(events.following, 2 * events.following.size),
        grown(events.amplitude, 2 * events.amplitude.size),
        grown(events.gain, 2 * events.gain.size),
    )


@kernel
def pursue(
    scores: NDArray[np.float32],
    energies: NDArray[np.float64],
    minimum: NDArray[np.float32],
    pairs: Pairs,
    limits: Limits,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take spikes from `scores` (unit, sample; changed in place) until none gains ``match_threshold²``.

    Returns
    -------
    int64 array of shape (spike, 3)
        Unit, position in `scores`, index of the sub-sample shift; in the order in which they were taken.
    float64 array of shape (spike, 2)
        Amplitude and gain.
    """
    n_units, n_samples = scores.shape
    n_blocks = (n_samples + SEARCH_SAMPLES - 1) // SEARCH_SAMPLES
    board = Board(
        scores, energies, minimum, full((n_blocks, n_units), -np.inf),
        zeros((n_blocks, n_units), np.int64), full(n_blocks, -np.inf), zeros(n_blocks, np.int64),
        full(n_blocks, -1, np.int64),
    )  # fmt: skip
    events = Events(
        empty(1024, np.int64), empty(1024, np.int64), empty(1024, np.int64), empty(1024, np.int64),
        empty(1024), empty(1024),
    )  # fmt: skip
    none: Any = np.int64(0)  # with a literal 0, all of these functions would be compiled a second time
    search(board, events, pairs, limits, np.arange(n_units).astype(np.int32), none, n_blocks - 1)
    n_events, first, last = none, none, none + n_blocks - 1
    while True:
        n_events, first, last = _take_all(board, events, pairs, limits, n_events, first, last)
        if n_events < events.unit.size:
            break
        events = _with_room(events, n_events)
    for _ in range(limits.n_sweeps):
        n_pending = n_events
        for event in range(n_events):
            unit = events.unit[event]
            if unit >= 0:
                events = _with_room(events, n_events)
                other = _colliding(board, events, pairs, limits, event, n_pending)
                first, last = _put_back(board, events, pairs, limits, event)
                if other >= 0:
                    low, high = _put_back(board, events, pairs, limits, other)
                    first, last = min(first, low), max(last, high)
                n_events, low, high = _take_of_pair(board, events, pairs, limits, n_events, unit, events.sample[event])
                first, last = min(first, low), max(last, high)
                while True:
                    n_events, first, last = _take_all(board, events, pairs, limits, n_events, first, last)
                    if n_events < events.unit.size:
                        break
                    events = _with_room(events, n_events)

    n_kept = 0
    for event in range(n_events):
        n_kept += events.unit[event] >= 0
    spikes, values = empty((n_kept, 3), np.int64), empty((n_kept, 2))
    n_kept = 0
    for event in range(n_events):
        if events.unit[event] >= 0:
            spikes[n_kept, 0], spikes[n_kept, 1] = events.unit[event], events.sample[event]
            spikes[n_kept, 2] = events.shift[event]
            values[n_kept, 0], values[n_kept, 1] = events.amplitude[event], events.gain[event]
            n_kept += 1
    return spikes, values
