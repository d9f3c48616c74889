"""The rounds of `xephys.kernels.match.pursuit_device` in a single CUDA kernel, which runs until no spike is left.

A round of operations on whole arrays costs several launches, and a tile takes forty rounds. Here all thread blocks stay
resident and wait for each other between the steps of a round, so that a tile costs a single launch:

1. Every candidate that no better one can reach in two steps is recorded as a spike, with one thread per candidate.
2. Each new spike is subtracted from the scores by one thread block, which then searches the cells it affected. No two
   new spikes affect the same cell, so nothing is added in a random order.

The order in which threads record spikes is random, but nothing depends on it: precedence is decided by gain, round and
position.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda, float64, int32
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import for_numba, n_resident_blocks, tables_of
from xephys.kernels.lib.dispatch import as_it_is, resident
from xephys.kernels.match.limits import Limits, Pairs
from xephys.kernels.match.pairs_cuda import (
    TEAM,
    Model,
    Scratch,
    Team,
    amplitude_and_gain,
    larger_of_pair,
    sub_sample_peak,
)
from xephys.kernels.match.pursuit import SEARCH_SAMPLES
from xephys.kernels.match.pursuit_device import neighborhoods

#: Thread blocks per multiprocessor. All must be resident at once, because they wait for each other.
TEAMS_A_PROCESSOR = 2
#: Number of threads that step along time side by side.
LANES = 32

#: Rows of the table of integers of the spikes, and of the table of their floating-point numbers.
UNIT, SAMPLE, SHIFT, ROUND, FOLLOWING, PENDING = 0, 1, 2, 3, 4, 5
AMPLITUDE, GAIN, TURN = 0, 1, 2
#: Positions in the array of counters: arrivals at the barrier, spikes in either table, spikes ready to be put back.
ARRIVED, TAKEN, READY = 0, 1, 3

__all__ = ["AMPLITUDE", "GAIN", "SAMPLE", "SHIFT", "UNIT", "Taken", "take_spikes"]


class Taken(NamedTuple):
    """The spikes that the pursuit took, in no particular order, in its own tables, which may be longer."""

    whole: Any  # int32 (6, spike)
    real: Any  # float64 (3, spike)
    n_spikes: int


class Board(NamedTuple):
    """Scores, what is doubted or excluded because of spikes taken, and the best candidate of each unit and block."""

    scores: Any  # float32 (unit, sample)
    doubted: Any  # float64 (unit, sample)
    forbidden: Any  # int32 (unit, sample)
    gain: Any  # float64 (unit, block)
    sample: Any  # int32 (unit, block)
    turn: Any  # float64 (unit, block): lowest turn of the spikes taken there


class Events(NamedTuple):
    """Spikes taken, in two tables: those of the previous sweep and those of the current one."""

    whole: Any  # int32 (2, 6, spike)
    real: Any  # float64 (2, 3, spike)
    ready: Any  # int32 (spike,)
    heads: Any  # int32 (block,): first spike of the chain of each block of samples
    counters: Any  # int32


@cuda.jit(device=True)
def _wait_for_all(team, counters):  # type: ignore[no-untyped-def]
    """A barrier for all threads of the grid: everything written before it is visible to all threads after it."""
    cuda.syncthreads()
    if team.n_teams > 1:
        if team.member == 0:
            cuda.threadfence()
            ticket = cuda.atomic.add(counters, ARRIVED, 1)
            goal = (ticket // team.n_teams + 1) * team.n_teams
            while cuda.atomic.add(counters, ARRIVED, 0) < goal:
                pass
            cuda.threadfence()
        cuda.syncthreads()


@cuda.jit(device=True)
def _search(board, model, limits, unit, block):  # type: ignore[no-untyped-def]
    """Find the best candidate of a unit in a block of samples."""
    n_samples = board.scores.shape[1]
    row, minimum = board.scores[unit], model.minimum[unit]
    best, best_sample = -np.inf, 0
    start = block * SEARCH_SAMPLES
    for t in range(start, min(start + SEARCH_SAMPLES, n_samples)):
        score = row[t]
        if score < minimum or board.forbidden[unit, t] > 0:
            continue
        if (t > 0 and score < row[t - 1]) or (t < n_samples - 1 and score < row[t + 1]):
            continue
        _, gain = amplitude_and_gain(model.energies[unit], limits, score)
        gain -= board.doubted[unit, t] * (limits.mismatch / limits.noise_gain)
        if gain > best and gain >= limits.match_threshold**2:
            best, best_sample = gain, t
    board.gain[unit, block] = best
    board.sample[unit, block] = best_sample


@cuda.jit(device=True)
def _change(team, board, model, limits, unit, sample, shift, amplitude, sign):  # type: ignore[no-untyped-def]
    """Subtract one spike from the scores (sign −1) or add it back (+1), and search what it affected.

    This is the work of one team.
    """
    n_samples = board.scores.shape[1]
    first, n_partners = model.starts[unit], model.starts[unit + 1] - model.starts[unit]
    width, guard, refractory = model.overlaps.shape[2], limits.guard_samples, limits.refractory_samples
    scale = np.float32(sign * amplitude)
    for pair in range(first + team.row, first + n_partners, team.n_rows):
        partner = model.partners[pair]
        for k in range(team.lane, width, team.n_lanes):
            at = sample - width // 2 + k
            if 0 <= at < n_samples:
                board.scores[partner, at] += scale * model.overlaps[pair, shift, k]
        doubt = sign * amplitude * amplitude * model.likeness[pair]
        for at in range(sample - guard + team.lane, sample + guard + 1, team.n_lanes):
            if 0 <= at < n_samples:
                board.doubted[partner, at] -= doubt
    for at in range(sample - refractory + team.member, sample + refractory + 1, team.n_members):
        if 0 <= at < n_samples:
            board.forbidden[unit, at] -= sign
    cuda.syncthreads()
    margin = max(width // 2, max(refractory, guard)) + 1
    low = max(sample - margin, 0) // SEARCH_SAMPLES
    n_blocks = min(sample + margin, n_samples - 1) // SEARCH_SAMPLES + 1 - low
    for k in range(team.member, n_partners * n_blocks, team.n_members):
        _search(board, model, limits, model.partners[first + k // n_blocks], low + k % n_blocks)
    cuda.syncthreads()


@cuda.jit(device=True)
def _note(events, table, round_number, unit, sample, shift, amplitude, gain, turn):  # type: ignore[no-untyped-def]
    place = cuda.atomic.add(events.counters, TAKEN + table, 1)
    whole, real = events.whole[table], events.real[table]
    whole[UNIT, place], whole[SAMPLE, place], whole[SHIFT, place] = unit, sample, shift
    whole[ROUND, place], whole[PENDING, place] = round_number, 1
    real[AMPLITUDE, place], real[GAIN, place], real[TURN, place] = amplitude, gain, turn


@cuda.jit(device=True)
def _is_best(board, model, near_blocks, unit, block):  # type: ignore[no-untyped-def]
    """Whether no candidate within two steps gains more; ties go to the earlier block, then the lower unit."""
    gain = board.gain[unit, block]
    low, high = max(block - near_blocks, 0), min(block + near_blocks + 1, board.gain.shape[1])
    for k in range(model.near_starts[unit], model.near_starts[unit + 1]):
        other = model.near_units[k]
        beaten = False
        for b in range(low, high):  # without an early exit, so that the loads overlap
            value = board.gain[other, b]
            beaten |= value > gain
            beaten |= value == gain and (b < block or (b == block and other < unit))
        if beaten:
            return False
    return True


@cuda.jit(device=True)
def _take_all(team, board, model, limits, events, table, round_number, done, sweeping):  # type: ignore[no-untyped-def]
    """Take candidates, round after round, until none is left; also returns the numbers of rounds and spikes."""
    n_units, n_blocks = board.gain.shape
    margin = max(model.overlaps.shape[2] // 2, max(limits.refractory_samples, limits.guard_samples)) + 1
    near_blocks = 2 * ((margin + SEARCH_SAMPLES - 1) // SEARCH_SAMPLES)
    n_shifts, counters = model.overlaps.shape[1], events.counters
    while True:
        for cell in range(
            team.number * team.n_members + team.member, n_units * n_blocks, team.n_teams * team.n_members
        ):
            unit, block = cell // n_blocks, cell % n_blocks
            best = board.gain[unit, block]
            if best == -np.inf or not _is_best(board, model, near_blocks, unit, block):
                continue
            sample = board.sample[unit, block]
            score, shift = sub_sample_peak(board.scores[unit], sample, n_shifts)
            amplitude, gain = amplitude_and_gain(model.energies[unit], limits, score)
            turn = -np.float64(round_number)
            if not sweeping:
                # A candidate that was raised above an earlier spike comes right after that spike, not before it.
                turn = best
                for k in range(model.near_starts[unit], model.near_starts[unit + 1]):
                    for b in range(max(block - near_blocks, 0), min(block + near_blocks + 1, n_blocks)):
                        turn = min(turn, board.turn[model.near_units[k], b])
                board.turn[unit, block] = turn
            _note(events, table, round_number, unit, sample, shift, amplitude, gain, turn)
        _wait_for_all(team, counters)
        n_taken = counters[TAKEN + table]
        if n_taken == done:
            return round_number + 1, done
        for event in range(done + team.number, n_taken, team.n_teams):
            whole, amplitude = events.whole[table], events.real[table, AMPLITUDE, event]
            unit, sample, shift = whole[UNIT, event], whole[SAMPLE, event], whole[SHIFT, event]
            _change(team, board, model, limits, unit, sample, shift, amplitude, -1)
        done, round_number = n_taken, round_number + 1
        _wait_for_all(team, counters)


@cuda.jit(device=True)
def _comes_before(whole, real, other, event):  # type: ignore[no-untyped-def]
    """Whether a spike was taken before another one."""
    if real[TURN, other] != real[TURN, event]:
        return real[TURN, other] > real[TURN, event]
    if whole[ROUND, other] != whole[ROUND, event]:
        return whole[ROUND, other] < whole[ROUND, event]
    block, own = whole[SAMPLE, other] // SEARCH_SAMPLES, whole[SAMPLE, event] // SEARCH_SAMPLES
    if block != own:
        return block < own
    return whole[UNIT, other] < whole[UNIT, event]


@cuda.jit(device=True)
def _may_be_put_back(model, events, whole, real, event, distance):  # type: ignore[no-untyped-def]
    """Whether all spikes within four steps that precede it have been put back."""
    unit, sample = whole[UNIT, event], whole[SAMPLE, event]
    low = max(sample - distance, 0) // SEARCH_SAMPLES
    high = min((sample + distance) // SEARCH_SAMPLES, events.heads.shape[0] - 1)
    for block in range(low, high + 1):
        other = events.heads[block]
        while other >= 0:
            if whole[PENDING, other] and model.far[unit, whole[UNIT, other]]:
                near = abs(whole[SAMPLE, other] - sample) <= distance
                if near and _comes_before(whole, real, other, event):
                    return False
            other = whole[FOLLOWING, other]
    return True


@cuda.jit(device=True)
def _sweep(team, board, model, limits, events, scratch, table, n_events, round_number):  # type: ignore[no-untyped-def]
    """Put each spike back, and take the best choice in its place again, now that the surrounding ones are explained."""
    thread, n_threads = team.number * team.n_members + team.member, team.n_teams * team.n_members
    whole, real, counters, new = events.whole[table], events.real[table], events.counters, 1 - table
    margin = max(model.overlaps.shape[2] // 2, max(limits.refractory_samples, limits.guard_samples)) + 1
    _wait_for_all(team, counters)  # all threads have read the counters of the previous sweep
    for block in range(thread, events.heads.shape[0], n_threads):
        events.heads[block] = -1
    if thread == 0:
        counters[TAKEN + new] = 0
        counters[READY] = 0
    _wait_for_all(team, counters)
    for event in range(thread, n_events, n_threads):
        block = whole[SAMPLE, event] // SEARCH_SAMPLES
        whole[FOLLOWING, event] = cuda.atomic.exch(events.heads, block, event)
    _wait_for_all(team, counters)
    done, n_put_back = 0, 0
    while True:
        for event in range(thread, n_events, n_threads):
            if whole[PENDING, event] and _may_be_put_back(
                model, events, whole, real, event, 4 * margin + SEARCH_SAMPLES
            ):
                events.ready[cuda.atomic.add(counters, READY, 1)] = event
        _wait_for_all(team, counters)
        n_ready = counters[READY]
        if n_ready == n_put_back:
            return done, round_number
        for place in range(n_put_back + team.number, n_ready, team.n_teams):
            event = events.ready[place]
            unit, sample, shift = whole[UNIT, event], whole[SAMPLE, event], whole[SHIFT, event]
            if team.member == 0:
                whole[PENDING, event] = 0
            _change(team, board, model, limits, unit, sample, shift, real[AMPLITUDE, event], 1)
            found, at, shift, amplitude, gain = larger_of_pair(team, board, model, limits, scratch, unit, sample)
            if found >= 0:
                cuda.syncthreads()  # all threads have read the scores that are about to change
                if team.member == 0:
                    _note(events, new, round_number, found, at, shift, amplitude, gain, -np.float64(round_number))
                _change(team, board, model, limits, found, at, shift, amplitude, -1)
        n_put_back = n_ready
        _wait_for_all(team, counters)
        done = counters[TAKEN + new]
        _wait_for_all(team, counters)  # all threads have read it before more spikes are taken
        round_number, done = _take_all(team, board, model, limits, events, new, round_number + 1, done, True)


@cuda.jit(cache=True)
def _pursue(  # type: ignore[no-untyped-def]
    scores, doubted, forbidden, best_gain, best_sample, best_turn,
    energies, minimum, unexplained, starts, partners, overlaps, likeness, pair_of, near_starts, near_units, far,
    whole, real, ready, heads, counters, gains, listed,
    match_threshold, noise_gain, amplitude_precision, amplitude_min, amplitude_max, refractory_samples, mismatch,
    guard_samples, n_sweeps,
):  # fmt: skip
    member, n_members = cuda.threadIdx.x, cuda.blockDim.x
    n_lanes = min(LANES, n_members)
    team = Team(
        cuda.blockIdx.x, cuda.gridDim.x, member, n_members, member // n_lanes, n_members // n_lanes,
        member % n_lanes, n_lanes,
    )  # fmt: skip
    board = Board(scores, doubted, forbidden, best_gain, best_sample, best_turn)
    model = Model(
        energies, minimum, unexplained, starts, partners, overlaps, likeness, pair_of, near_starts, near_units, far
    )
    events = Events(whole, real, ready, heads, counters)
    values = cuda.shared.array(TEAM, float64)
    orders = cuda.shared.array(TEAM, int32)
    scratch = Scratch(gains, listed, values, orders)
    limits = Limits(
        match_threshold, noise_gain, amplitude_precision, amplitude_min, amplitude_max, refractory_samples, mismatch,
        guard_samples, n_sweeps,
    )  # fmt: skip
    n_units, n_blocks = best_gain.shape
    for cell in range(team.number * team.n_members + team.member, n_units * n_blocks, team.n_teams * team.n_members):
        _search(board, model, limits, cell // n_blocks, cell % n_blocks)
    _wait_for_all(team, counters)
    round_number, n_events = _take_all(team, board, model, limits, events, 0, 0, 0, False)
    for sweep in range(n_sweeps):
        n_events, round_number = _sweep(team, board, model, limits, events, scratch, sweep % 2, n_events, round_number)


def tables(
    pair_starts: NDArray[np.int64], pair_units: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]:
    """Which units affect each other: numbers of pairs, units within two steps (starts and units), units within four.

    Examples
    --------
    >>> pair_of, starts, near, far = tables(np.array([0, 2, 5, 7]), np.int32([0, 1, 0, 1, 2, 1, 2]))
    >>> pair_of.tolist(), starts.tolist(), near.tolist()
    ([[0, 1, -1], [2, 3, 4], [-1, 5, 6]], [0, 3, 6, 9], [0, 1, 2, 0, 1, 2, 0, 1, 2])
    """
    n_units = len(pair_starts) - 1
    pair_of = np.full((n_units, n_units), -1, np.int32)
    pair_of[np.repeat(np.arange(n_units), np.diff(pair_starts)), pair_units] = np.arange(len(pair_units))
    *_, near, far = neighborhoods(pair_starts, pair_units)
    within = np.zeros((n_units, n_units), bool)
    within[np.arange(n_units)[:, None], near] = True
    starts = np.concatenate([[0], np.cumsum(within.sum(axis=1))])
    return pair_of, starts, np.nonzero(within)[1].astype(np.int32), far.astype(np.uint8)


def take_spikes(
    xp: Any,
    scores: Any,
    *,
    energies: NDArray[np.float64],
    minimum: Any,
    pairs: Pairs,
    limits: Limits,
    n_threads: int = TEAM,
) -> Taken:
    """As `xephys.kernels.match.pursuit_device.pursue`, in one launch; the spikes stay in the kernel's tables.

    ``scores`` are changed in place if they are contiguous. NumPy arrays are accepted if Numba simulates a device, with
    one block of ``n_threads`` threads, a power of two.
    """
    n_units, n_samples = scores.shape
    if not scores.flags.c_contiguous:  # the kernel is compiled once, for contiguous rows
        scores = scores.copy()
    if not n_units or not n_samples:
        return Taken(xp.empty((6, 0), dtype=np.int32), xp.empty((3, 0), dtype=np.float64), 0)
    n_blocks = -(-n_samples // SEARCH_SAMPLES)
    # Two spikes of a unit are further apart than its refractory period.
    capacity = n_units * (n_samples // (limits.refractory_samples + 1) + 1)
    n_teams = n_resident_blocks(TEAMS_A_PROCESSOR)
    most = int(np.diff(pairs.starts).max(initial=1)) * (2 * limits.guard_samples + 1)
    own = tables_of(xp)
    pair_of, near_starts, near_units, far = resident(own, tables, pairs.starts, pairs.units)
    whole, real = xp.empty((2, 6, capacity), dtype=np.int32), xp.empty((2, 3, capacity), dtype=np.float64)
    counters = xp.zeros(4, dtype=np.int32)
    arrays = (
        scores, xp.zeros(scores.shape, dtype=np.float64), xp.zeros(scores.shape, dtype=np.int32),
        xp.empty((n_units, n_blocks), dtype=np.float64), xp.empty((n_units, n_blocks), dtype=np.int32),
        xp.full((n_units, n_blocks), np.inf, dtype=np.float64),
        resident(own, as_it_is, energies), minimum, resident(own, as_it_is, pairs.unexplained),
        resident(own, as_it_is, pairs.starts), resident(own, as_it_is, pairs.units),
        resident(own, as_it_is, pairs.overlaps), pairs.likeness, pair_of, near_starts, near_units, far,
        whole, real, xp.empty(capacity, dtype=np.int32), xp.empty(n_blocks, dtype=np.int32), counters,
        xp.empty((n_teams, most), dtype=np.float64), xp.empty((n_teams, most + 1), dtype=np.int32),
    )  # fmt: skip
    _pursue[n_teams, n_threads](*for_numba(*arrays), *limits)
    table = limits.n_sweeps % 2
    return Taken(whole[table], real[table], int(counters[TAKEN + table]))
