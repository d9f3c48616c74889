"""The rounds of `xephys.kernels.match.pursuit_device` in a single CUDA kernel, which runs until no spike is left.

A round of operations on whole arrays costs several launches, and a tile takes forty rounds. Here all thread blocks stay
resident and wait for each other between the steps of a round, so that a tile costs a single launch:

1. Every candidate that no better one can reach in two steps is recorded as a spike, with one thread per candidate.
2. Each new spike is subtracted from the scores by one thread block, which then searches the cells it affected. No two
   new spikes affect the same cell, so nothing is added in a random order.

After the rounds, each spike is put back and decided again (`sweep`). The order in which threads record spikes is
random, but nothing depends on it: precedence is decided by gain, round and position.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda, float64, int32
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import for_numba, n_resident_blocks, tables_of
from xephys.kernels.lib.dispatch import as_it_is, resident
from xephys.kernels.match.candidates import SEARCH_SAMPLES
from xephys.kernels.match.cuda.pairs import TEAM, Model, Scratch, Team
from xephys.kernels.match.cuda.rounds import TAKEN, Board, Events, search, take_all, wait_for_all
from xephys.kernels.match.cuda.sweep import sweep_once
from xephys.kernels.match.limits import Limits, Pairs
from xephys.kernels.match.neighborhoods import neighborhoods, pair_numbers

#: Thread blocks per multiprocessor. All must be resident at once, because they wait for each other.
TEAMS_A_PROCESSOR = 2
#: Number of threads that step along time side by side.
LANES = 32


class Taken(NamedTuple):
    """The spikes that the pursuit took, in no particular order, in its own tables, which may be longer."""

    whole: Any  # int32 (6, spike)
    real: Any  # float64 (3, spike)
    n_spikes: int


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
        search(board, model, limits, cell // n_blocks, cell % n_blocks)
    wait_for_all(team, counters)
    round_number, n_events = take_all(team, board, model, limits, events, 0, 0, 0, False)
    for sweep in range(n_sweeps):
        n_events, round_number = sweep_once(
            team, board, model, limits, events, scratch, sweep % 2, n_events, round_number
        )


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
    pair_of = pair_numbers(pair_starts, pair_units)
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
    most = int(np.diff(pairs.starts).max(initial=1)) * (2 * max(limits.guard_samples, limits.refractory_samples) + 1)
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
