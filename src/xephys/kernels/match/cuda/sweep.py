"""A sweep of the pursuit on a device: spikes are put back and decided again, as soon as those before them have been.

A spike takes the one that it collides with along, as in the other pursuits.
"""

from __future__ import annotations

import numpy as np
from numba import cuda

from xephys.kernels.match.candidates import SEARCH_SAMPLES
from xephys.kernels.match.cuda.pairs import larger_of_pair
from xephys.kernels.match.cuda.rounds import (
    AMPLITUDE,
    FOLLOWING,
    PENDING,
    READY,
    ROUND,
    SAMPLE,
    SHIFT,
    TAKEN,
    TURN,
    UNIT,
    change,
    note,
    take_all,
    wait_for_all,
)
from xephys.kernels.match.pursuit import COLLIDING


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
def _colliding(model, limits, events, whole, real, event):  # type: ignore[no-untyped-def]
    """The spike, among those pending, that resembles a spike most where they overlap; -1 for none."""
    unit, sample, shift = whole[UNIT, event], whole[SAMPLE, event], whole[SHIFT, event]
    found, most, reach = -1, COLLIDING * model.energies[unit], model.overlaps.shape[2] // 2
    if not model.unexplained[unit] < np.inf:
        return found
    radius = min(max(limits.guard_samples, limits.refractory_samples), reach)
    low = max(sample - radius, 0) // SEARCH_SAMPLES
    high = min((sample + radius) // SEARCH_SAMPLES, events.heads.shape[0] - 1)
    for block in range(low, high + 1):
        other = events.heads[block]
        while other >= 0:
            pair, lag = model.pair_of[unit, whole[UNIT, other]], whole[SAMPLE, other] - sample
            # Those out of its reach may just be put back by other teams, so their marks are not read.
            if other != event and pair >= 0 and abs(lag) <= radius and whole[PENDING, other]:
                overlap = np.float64(model.overlaps[pair, shift, lag + reach])
                alike = overlap * overlap / model.energies[whole[UNIT, other]]
                if alike > most or (alike == most and found >= 0 and _comes_before(whole, real, other, found)):
                    found, most = other, alike
            other = whole[FOLLOWING, other]
    return found


@cuda.jit(device=True)
def sweep_once(team, board, model, limits, events, scratch, table, n_events, round_number):  # type: ignore[no-untyped-def]
    """Put each spike back, and take the best choice in its place again, now that the surrounding ones are explained."""
    thread, n_threads = team.number * team.n_members + team.member, team.n_teams * team.n_members
    whole, real, counters, new = events.whole[table], events.real[table], events.counters, 1 - table
    margin = max(model.overlaps.shape[2] // 2, max(limits.refractory_samples, limits.guard_samples)) + 1
    wait_for_all(team, counters)  # all threads have read the counters of the previous sweep
    for block in range(thread, events.heads.shape[0], n_threads):
        events.heads[block] = -1
    if thread == 0:
        counters[TAKEN + new] = 0
        counters[READY] = 0
    wait_for_all(team, counters)
    for event in range(thread, n_events, n_threads):
        block = whole[SAMPLE, event] // SEARCH_SAMPLES
        whole[FOLLOWING, event] = cuda.atomic.exch(events.heads, block, event)
    wait_for_all(team, counters)
    done, n_put_back = 0, 0
    while True:
        for event in range(thread, n_events, n_threads):
            if whole[PENDING, event] and _may_be_put_back(
                model, events, whole, real, event, 4 * margin + SEARCH_SAMPLES
            ):
                events.ready[cuda.atomic.add(counters, READY, 1)] = event
        wait_for_all(team, counters)
        n_ready = counters[READY]
        if n_ready == n_put_back:
            return done, round_number
        for place in range(n_put_back + team.number, n_ready, team.n_teams):
            event = events.ready[place]
            unit, sample, shift = whole[UNIT, event], whole[SAMPLE, event], whole[SHIFT, event]
            if team.member == 0:
                whole[PENDING, event] = 0
            change(team, board, model, limits, unit, sample, shift, real[AMPLITUDE, event], 1)
            beside = _colliding(model, limits, events, whole, real, event)
            cuda.syncthreads()  # all threads have read the marks, of which one is about to change
            if beside >= 0:
                if team.member == 0:
                    whole[PENDING, beside] = 0
                change(
                    team, board, model, limits, whole[UNIT, beside], whole[SAMPLE, beside], whole[SHIFT, beside],
                    real[AMPLITUDE, beside], 1,
                )  # fmt: skip
            found, at, shift, amplitude, gain = larger_of_pair(team, board, model, limits, scratch, unit, sample)
            if found >= 0:
                cuda.syncthreads()  # all threads have read the scores that are about to change
                if team.member == 0:
                    note(events, new, round_number, found, at, shift, amplitude, gain, -np.float64(round_number))
                change(team, board, model, limits, found, at, shift, amplitude, -1)
        n_put_back = n_ready
        wait_for_all(team, counters)
        done = counters[TAKEN + new]
        wait_for_all(team, counters)  # all threads have read it before more spikes are taken
        round_number, done = take_all(team, board, model, limits, events, new, round_number + 1, done, True)
