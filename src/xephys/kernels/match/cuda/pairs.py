"""Two spikes at once, as in `xephys.kernels.match.pairs`, weighed jointly by the threads of one CUDA block.

Each thread weighs its share of the pairs. The largest gain wins, and among equal gains the pair that the loops of the
other kernel would have met first, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from xephys.kernels.match import pairs as one_thread
from xephys.kernels.match.pairs import DISPLACED_SAMPLES, DISTINCT, NEARLY, PAIR

#: Maximum number of threads per block; a power of two, because the reduction halves them.
TEAM = 128

__all__ = ["TEAM", "Model", "Scratch", "Team", "amplitude_and_gain", "larger_of_pair", "sub_sample_peak"]

amplitude_and_gain = cuda.jit(device=True)(one_thread.amplitude_and_gain.py_func)
sub_sample_peak = cuda.jit(device=True)(one_thread.sub_sample_peak.py_func)
_shifted_score = cuda.jit(device=True)(one_thread._shifted_score.py_func)


class Team(NamedTuple):
    """The thread block that works on one spike, and this thread's place in it: alone, and in rows of lanes."""

    number: Any
    n_teams: Any
    member: Any
    n_members: Any
    row: Any
    n_rows: Any
    lane: Any
    n_lanes: Any


class Model(NamedTuple):
    """Tables of the templates, on the device."""

    energies: Any  # float64 (unit,)
    minimum: Any  # float32 (unit,)
    unexplained: Any  # float64 (unit,)
    starts: Any  # int64 (unit + 1,): first pair of each unit
    partners: Any  # int32 (pair,)
    overlaps: Any  # float32 (pair, shift, lag)
    likeness: Any  # float64 (pair,)
    pair_of: Any  # int32 (unit, unit): number of the pair, -1 where two templates share no channel
    near_starts: Any  # int64 (unit + 1,)
    near_units: Any  # int32: units within two steps
    far: Any  # uint8 (unit, unit): whether within four steps


class Scratch(NamedTuple):
    """Memory of each team; the first dimension is the team."""

    gains: Any  # float64 (team, candidate)
    listed: Any  # int32 (team, candidate + 1): number of listed candidates, then their numbers
    values: Any  # float64 (TEAM,) and int32 (TEAM,), shared by a team's members: values to compare, and their order
    orders: Any


@cuda.jit(device=True)
def _largest_of_team(team, scratch, value, order):  # type: ignore[no-untyped-def]
    """Largest value of a team and its order, the lowest one among equal values; the same for every member."""
    values, orders = scratch.values, scratch.orders
    values[team.member], orders[team.member] = value, order
    cuda.syncthreads()
    half = team.n_members // 2
    while half > 0:
        if team.member < half:
            other = team.member + half
            if values[other] > values[team.member] or (
                values[other] == values[team.member] and orders[other] < orders[team.member]
            ):
                values[team.member], orders[team.member] = values[other], orders[other]
        cuda.syncthreads()
        half //= 2
    value, order = values[0], orders[0]
    cuda.syncthreads()
    return value, order


@cuda.jit(device=True)
def _doubt(board, limits, unit, sample):  # type: ignore[no-untyped-def]
    if board.forbidden[unit, sample] > 0:
        return np.inf
    return board.doubted[unit, sample] * (limits.mismatch / limits.noise_gain)


@cuda.jit(device=True)
def _pair_gain(board, model, limits, doubting, unit, sample, shift, other_unit, t):  # type: ignore[no-untyped-def]
    """Gain of two spikes together, the larger first, and the first one's amplitude; -inf if they are not a pair."""
    precision = limits.amplitude_precision * limits.noise_gain
    pair, reach, n_shifts = model.pair_of[unit, other_unit], model.overlaps.shape[2] // 2, model.overlaps.shape[1]
    distance = abs(t - sample)
    if pair < 0 or model.energies[other_unit] <= 0 or distance > reach:
        return -np.inf, 0.0
    if unit == other_unit and distance <= limits.refractory_samples:
        return -np.inf, 0.0
    score = _shifted_score(board.scores[unit], sample, shift, n_shifts) + precision
    total, other_total = model.energies[unit] + precision, model.energies[other_unit] + precision
    other = np.float64(board.scores[other_unit, t]) + precision
    overlap = np.float64(model.overlaps[pair, shift, t - sample + reach])
    determinant = total * other_total - overlap * overlap
    numerator = other * total - score * overlap
    if numerator < limits.amplitude_min * determinant or determinant <= DISTINCT * total * other_total:
        return -np.inf, 0.0
    amplitude = (score * other_total - other * overlap) / determinant
    second = numerator / determinant
    lower, upper = min(amplitude, second), max(amplitude, second)
    if lower < limits.amplitude_min or upper > limits.amplitude_max:
        return -np.inf, 0.0
    if second * second * model.energies[other_unit] > amplitude * amplitude * model.energies[unit]:
        return -np.inf, 0.0
    gain = (amplitude * score + second * other - 2.0 * precision) / limits.noise_gain
    if doubting:
        gain -= _doubt(board, limits, unit, sample) + _doubt(board, limits, other_unit, t)
    return gain, amplitude


@cuda.jit(device=True)
def _best_second(  # type: ignore[no-untyped-def]
    team, board, model, limits, doubting, first, n_units, unit, sample, shift, start, stop
):
    """Largest gain of a pair among this thread's share of second spikes, and the number of that spike."""
    best, best_second = -np.inf, 0
    for k in range(team.row, n_units, team.n_rows):
        other = model.partners[first + k]
        for t in range(start + team.lane, stop, team.n_lanes):
            gain, _ = _pair_gain(board, model, limits, doubting, unit, sample, shift, other, t)
            if gain > best:
                best, best_second = gain, k * (stop - start) + t - start
    return best, best_second


@cuda.jit(device=True)
def _larger_of_pair(team, board, model, limits, scratch, unit, start, stop, doubting):  # type: ignore[no-untyped-def]
    """The larger spike of the best pair, if there is one: unit (-1 for none), sample, shift, amplitude, gain."""
    first, n_units, width = model.starts[unit], model.starts[unit + 1] - model.starts[unit], stop - start
    n_shifts = model.overlaps.shape[1]
    gains, listed = scratch.gains[team.number], scratch.listed[team.number]
    if team.member == 0:
        listed[0] = 0
    single, place = -np.inf, 0
    for k in range(team.row, n_units, team.n_rows):
        own = model.partners[first + k]
        scores = board.scores[own]
        for t in range(start + team.lane, stop, team.n_lanes):
            gain = -np.inf
            if scores[t] >= model.minimum[own] and scores[t] >= scores[t - 1] and scores[t] >= scores[t + 1]:
                top, _ = sub_sample_peak(scores, t, n_shifts)
                _, gain = amplitude_and_gain(model.energies[own], limits, top)
                if doubting:
                    gain -= _doubt(board, limits, own, t)
            gains[k * width + t - start] = gain
            if gain > single:
                single, place = gain, k * width + t - start
    single, place = _largest_of_team(team, scratch, single, place)
    if not single > -np.inf:
        return -1, 0, 0, 0.0, 0.0
    own = model.partners[first + place // width]
    top, _ = sub_sample_peak(board.scores[own], start + place % width, n_shifts)
    amplitude, _ = amplitude_and_gain(model.energies[own], limits, top)
    left = PAIR * model.unexplained[own] * amplitude * amplitude * model.energies[own] / limits.noise_gain
    for k in range(team.member, n_units * width, team.n_members):
        if gains[k] > -np.inf and 2.0 * gains[k] >= single:
            listed[1 + cuda.atomic.add(listed, 0, 1)] = k
    cuda.syncthreads()
    n_listed = listed[0]
    best, best_place, best_trial = single + left + limits.match_threshold**2, -1, 0
    steps, n_seconds = max(n_shifts - 1, 1), n_units * width
    for i in range(n_listed):
        place = listed[1 + i]
        own, peak = model.partners[first + place // width], start + place % width
        middle = n_shifts // 2
        gate, _ = _best_second(team, board, model, limits, doubting, first, n_units, own, peak, middle, start, stop)
        gate, _ = _largest_of_team(team, scratch, gate, 0)
        if gate <= NEARLY * single:
            continue
        for at in (peak - DISPLACED_SAMPLES, peak + DISPLACED_SAMPLES):
            if start <= at < stop:
                gain, _ = _best_second(
                    team, board, model, limits, doubting, first, n_units, own, at, middle, start, stop
                )
                gate = max(gate, gain)
        gate, _ = _largest_of_team(team, scratch, gate, 0)
        if gate <= single + left:
            continue
        most, trial = -np.inf, 0
        for displaced in range((2 * DISPLACED_SAMPLES + 1) * steps):
            at, shift = peak - DISPLACED_SAMPLES + displaced // steps, displaced % steps
            if start <= at < stop:
                gain, second = _best_second(
                    team, board, model, limits, doubting, first, n_units, own, at, shift, start, stop
                )
                if gain > most:
                    most, trial = gain, displaced * n_seconds + second
        most, trial = _largest_of_team(team, scratch, most, trial)
        if most > best or (most == best and best_place > place):
            best, best_place, best_trial = most, place, trial
    if best_place < 0:
        return -1, 0, 0, 0.0, 0.0
    own = model.partners[first + best_place // width]
    at = start + best_place % width - DISPLACED_SAMPLES + best_trial // n_seconds // steps
    shift = best_trial // n_seconds % steps
    other, t = model.partners[first + best_trial % n_seconds // width], start + best_trial % n_seconds % width
    _, amplitude = _pair_gain(board, model, limits, doubting, own, at, shift, other, t)
    precision = limits.amplitude_precision * limits.noise_gain
    score = _shifted_score(board.scores[own], at, shift, n_shifts) + precision
    gain = 2.0 * amplitude * score - amplitude * amplitude * (model.energies[own] + precision) - precision
    return own, at, shift, amplitude, gain / limits.noise_gain


@cuda.jit(device=True)
def larger_of_pair(team, board, model, limits, scratch, unit, sample):  # type: ignore[no-untyped-def]
    """If two spikes explain more than one in place of the one put back, the larger of them, as in `pairs`.

    Returns
    -------
    unit, sample, shift, amplitude, gain
        The same for every member of the team; the unit is -1 if one spike explains it equally well.
    """
    if not model.unexplained[unit] < np.inf:
        return -1, 0, 0, 0.0, 0.0
    radius = max(limits.guard_samples, limits.refractory_samples)
    start = max(sample - radius, 1)
    stop = max(min(sample + radius + 1, board.scores.shape[1] - 1), start)
    found, at, shift, amplitude, gain = _larger_of_pair(team, board, model, limits, scratch, unit, start, stop, False)
    if found >= 0:  # as in `pairs`, a pair is first sought without doubts
        cuda.syncthreads()
        found, at, shift, amplitude, gain = _larger_of_pair(
            team, board, model, limits, scratch, unit, start, stop, True
        )
    return found, at, shift, amplitude, gain
