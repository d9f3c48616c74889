"""Rounds of the pursuit on a device: take the spikes that no better candidate can reach, and search again.

The threads of the whole grid wait for each other between the steps of a round, so all functions here are called by all
of them at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from xephys.kernels.match.candidates import SEARCH_SAMPLES
from xephys.kernels.match.cuda.pairs import amplitude_and_gain, sub_sample_peak

#: Rows of the table of integers of the spikes, and of the table of their floating-point numbers.
UNIT, SAMPLE, SHIFT, ROUND, FOLLOWING, PENDING = 0, 1, 2, 3, 4, 5
AMPLITUDE, GAIN, TURN = 0, 1, 2
#: Positions in the array of counters: arrivals at the barrier, spikes in either table, spikes ready to be put back.
ARRIVED, TAKEN, READY = 0, 1, 3


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
def wait_for_all(team, counters):  # type: ignore[no-untyped-def]
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
def search(board, model, limits, unit, block):  # type: ignore[no-untyped-def]
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
def change(team, board, model, limits, unit, sample, shift, amplitude, sign):  # type: ignore[no-untyped-def]
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
        search(board, model, limits, model.partners[first + k // n_blocks], low + k % n_blocks)
    cuda.syncthreads()


@cuda.jit(device=True)
def note(events, table, round_number, unit, sample, shift, amplitude, gain, turn):  # type: ignore[no-untyped-def]
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
def take_all(team, board, model, limits, events, table, round_number, done, sweeping):  # type: ignore[no-untyped-def]
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
            note(events, table, round_number, unit, sample, shift, amplitude, gain, turn)
        wait_for_all(team, counters)
        n_taken = counters[TAKEN + table]
        if n_taken == done:
            return round_number + 1, done
        for event in range(done + team.number, n_taken, team.n_teams):
            whole, amplitude = events.whole[table], events.real[table, AMPLITUDE, event]
            unit, sample, shift = whole[UNIT, event], whole[SAMPLE, event], whole[SHIFT, event]
            change(team, board, model, limits, unit, sample, shift, amplitude, -1)
        done, round_number = n_taken, round_number + 1
        wait_for_all(team, counters)
