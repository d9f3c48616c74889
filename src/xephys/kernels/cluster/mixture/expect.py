"""The E-step: responsibilities of a few candidate units for each spike, and the sums that the M-step needs.

All log likelihoods are relative to noise alone. With whitened features ``z``, and mean ``m`` and loadings ``V`` of a
unit on the spike's neighborhood, ``v = V'z - V'm`` and ``K = 1 + V'V``,

    log N(z; m, 1 + VV') - log N(z; 0, 1) = m'z - |m|^2 / 2 + v' K^-1 v / 2 - log|K| / 2,

so that a spike needs ``1 + rank`` products of vectors per candidate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.neighborhoods import Rows
from xephys.kernels.cluster.mixture.pairs import Pairs, Projected
from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.inner import KERNEL

#: Responsibilities below this are left out of the sums.
RESPONSIBILITY_MIN = 1e-5
#: Places in `Expected.totals`: number of spikes, log likelihood, entropy of responsibilities, share of background; of
#: the fitted spikes, then of those held out.
N_TOTALS = 4


class Expected(NamedTuple):
    """What an E-step returns for a run of cells.

    Attributes
    ----------
    candidates : (n_rows, n_candidates) int32
        Units in order of likelihood, -1 where there are fewer.
    joint : (n_rows, n_candidates) float32
        Log weight plus relative log likelihood of each.
    products : (n_pairs, 1 + rank, n_entries) float64
        Sums over fitted spikes of responsibility times ``(1, u) z'``, with ``u`` the expected factors.
    moments : (n_pairs, 1 + rank, 1 + rank) float64
        Sums of responsibility times the second moment of ``(1, u)``. The first entry is the number of spikes.
    totals : (2, 4) float64
        Number of spikes, log likelihood, entropy and share of background, fitted and held out.
    """

    candidates: NDArray[np.int32]
    joint: NDArray[np.float32]
    products: NDArray[np.float64]
    moments: NDArray[np.float64]
    totals: NDArray[np.float64]


def expect(
    rows: Rows,
    pairs: Pairs,
    seen: Projected,
    log_weights: NDArray[np.float64],
    background: NDArray[np.float32],
    candidates: NDArray[np.int32],
    near: NDArray[np.int32],
    everywhere: bool,
    cells: NDArray[np.int64],
) -> list[Expected]:
    """E-step of some cells.

    Parameters
    ----------
    rows, pairs, seen
        All spikes, pairs and units of the fit.
    log_weights : (n_neighborhoods, n_units) float64
        Of each unit on each neighborhood.
    background : (n_rows,) float32
        Log weight plus relative log likelihood of everything else, such as noise.
    candidates : (n_rows, n_candidates) int32
        Candidates so far.
    near : (n_units, n_near) int32
        Units that are tried for a spike besides its candidates: those near each of them. -1 for none.
    everywhere : bool
        Try all units that can appear on the neighborhood instead.
    cells : (n, 3) int64
        Some of ``rows.cells``.

    Returns
    -------
    expected : list of Expected
        One for each cell; sums are over the pairs of its neighborhood.
    """
    found = []
    for s, start, stop in cells.tolist():
        own = slice(int(pairs.starts[s]), int(pairs.starts[s + 1]))
        found.append(
            Expected(
                *expect_cell(
                    rows.whitened[start:stop],
                    rows.held_out[start:stop],
                    pairs.units[own],
                    np.ascontiguousarray(pairs.table[s]),  # otherwise, transposed tables take another kernel
                    seen.directions[own],
                    seen.constant[own],
                    seen.shift[own],
                    seen.posterior[own],
                    np.ascontiguousarray(log_weights[s]),
                    background[start:stop],
                    candidates[start:stop],
                    near,
                    everywhere,
                )
            )
        )
    return found


@njit(**KERNEL, fastmath={"reassoc", "contract", "nsz"})
def dot(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Product of two vectors, in the order that the compiler finds fastest for their length."""
    total = np.float32(0.0)
    for e in range(len(first)):
        total += first[e] * second[e]
    return total  # type: ignore[return-value]


@njit(**KERNEL, fastmath={"contract"})
def expect_cell(
    whitened: NDArray[np.float32],
    held_out: NDArray[np.bool_],
    units: NDArray[np.int32],
    table: NDArray[np.int32],
    directions: NDArray[np.float32],
    constant: NDArray[np.float64],
    shift: NDArray[np.float64],
    posterior: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    background: NDArray[np.float32],
    candidates: NDArray[np.int32],
    near: NDArray[np.int32],
    everywhere: bool,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """E-step of the spikes of one neighborhood; parameters as for `expect`, of this neighborhood only.

    Returns
    -------
    The fields of `Expected`.

    Examples
    --------
    >>> z, mean = np.array([[2.0], [-9.0]], np.float32), np.full((1, 1, 1), 2.0, np.float32)
    >>> half, unit, nothing = np.array([2.0]), np.zeros(1, np.int32), np.zeros((1, 0))
    >>> unknown, near = np.full((2, 1), -1, np.int32), np.zeros((1, 0), np.int32)
    >>> _, joint, *_ = expect_cell(z, np.zeros(2, bool), unit, unit, mean, half, nothing, np.zeros((1, 0, 0)),
    ...     np.zeros(1), np.zeros(2, np.float32), unknown, near, True)
    >>> joint.ravel().tolist()
    [2.0, -20.0]
    """
    n_rows, n_keep = candidates.shape
    n_own, n_columns, n_entries = directions.shape
    rank = n_columns - 1
    best_units = full((n_rows, n_keep), -1, np.int32)
    best = full((n_rows, n_keep), -np.inf, np.float32)
    products = zeros((n_own, n_columns, n_entries))
    moments = zeros((n_own, n_columns, n_columns))
    totals = zeros((2, N_TOTALS))
    tried = full(n_own, -1, np.int64)
    order = empty(n_own, np.int32)
    residual = zeros((n_own, rank))
    kept = zeros(n_keep, np.int32)
    scores = zeros(n_keep)
    factors = np.ones(n_columns)
    for i in range(n_rows):
        n_tried = 0
        if everywhere:
            n_tried = n_own
            for p in range(n_own):
                order[p] = p
        else:
            for k in range(n_keep):
                unit = candidates[i, k]
                if unit < 0:
                    continue
                for other in range(-1, near.shape[1]):
                    u = unit if other < 0 else near[unit, other]
                    if u < 0:
                        continue
                    p = table[u]
                    if p >= 0 and tried[p] != i:
                        tried[p] = i
                        order[n_tried] = p
                        n_tried += 1
        n_kept = 0
        for t in range(n_tried):
            p = order[t]
            score = log_weights[units[p]] - constant[p] + dot(directions[p, 0], whitened[i])
            for a in range(rank):
                residual[p, a] = dot(directions[p, 1 + a], whitened[i]) - shift[p, a]
            for a in range(rank):
                for b in range(rank):
                    score += 0.5 * residual[p, a] * posterior[p, a, b] * residual[p, b]
            # Ties go to the lower unit, so that the order in which candidates were tried does not matter.
            place = n_kept
            while place > 0 and (score > scores[place - 1] or (score == scores[place - 1] and p < kept[place - 1])):
                place -= 1
            if place >= n_keep:
                continue
            n_kept = min(n_kept + 1, n_keep)
            for k in range(n_kept - 1, place, -1):
                scores[k], kept[k] = scores[k - 1], kept[k - 1]
            scores[place], kept[place] = score, p
        largest = float(background[i])
        for k in range(n_kept):
            largest = max(largest, scores[k])
        total = np.exp(background[i] - largest)
        for k in range(n_kept):
            total += np.exp(scores[k] - largest)
        log_total = largest + np.log(total)
        side = 1 if held_out[i] else 0
        share = np.exp(background[i] - log_total)
        entropy = -share * (background[i] - log_total) if share > 0 else 0.0
        for k in range(n_kept):
            best_units[i, k] = units[kept[k]]
            best[i, k] = scores[k]
            weight = np.exp(scores[k] - log_total)
            if weight <= 0:
                continue
            entropy -= weight * (scores[k] - log_total)
            if side or weight < RESPONSIBILITY_MIN:
                continue
            p = kept[k]
            for a in range(rank):
                value = 0.0
                for b in range(rank):
                    value += posterior[p, a, b] * residual[p, b]
                factors[1 + a] = value
            for c in range(n_columns):
                scaled = weight * factors[c]
                for e in range(n_entries):
                    products[p, c, e] += scaled * whitened[i, e]
                for d in range(n_columns):
                    moments[p, c, d] += scaled * factors[d]
            for a in range(rank):
                for b in range(rank):
                    moments[p, 1 + a, 1 + b] += weight * posterior[p, a, b]
        totals[side, 0] += 1
        totals[side, 1] += log_total
        totals[side, 2] += entropy
        totals[side, 3] += share
    return best_units, best, products, moments, totals
