"""Displacement of the tissue between sessions, from pairs of units that look alike.

For every two sessions, a coarse search votes for the shift and for the difference in shift between the two ends of the
shank. A robust least-squares problem makes these votes consistent, and a second one, on the pairs themselves, refines
them. Each round of both has a closed form, so the result depends on neither a starting point nor chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import kernel

#: Steps of the coarse search in µm: of the shift, and of the difference in shift between the two ends of the shank.
SHIFT_STEP_UM, TILT_STEP_UM = 2.0, 10.0
#: Spread of a vote of the coarse search in µm, and the penalty per µm of tilt that is subtracted from its votes.
VOTE_UM, TILT_COST = 8.0, 0.005
#: Residuals in µm beyond which a pair loses its weight: for pairs of sessions, and for pairs of units round by round.
EDGE_SCALE_UM = 8.0
SCALES_UM = (8.0, 4.0, 2.0, 2.0, 2.0)
N_ROUNDS = 10
#: Displacements that change by less than this in µm from round to round have settled.
SETTLED_UM = 1e-6
#: Displacements that differ by this much in µm are clearly different.
DIFFERENT_UM = 40.0
#: Stiffness against bending, relative to the mean weight of a pair.
BENDING = 0.3


class Matches(NamedTuple):
    """Pairs of units of different sessions that may be the same neuron."""

    session_a: NDArray[np.int64]
    session_b: NDArray[np.int64]
    depth_a: NDArray[np.float64]
    depth_b: NDArray[np.float64]
    weight: NDArray[np.float64]


def hat_functions(depth_um: NDArray[np.float64], knots_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the knots at each depth, ``(depth, knot)``: linear between knots and constant beyond them.

    Examples
    --------
    >>> hat_functions(np.array([0.0, 25.0, 900.0]), np.array([0.0, 100.0])).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]
    """
    if len(knots_um) == 1:
        return np.ones((len(depth_um), 1))
    return np.column_stack([np.interp(depth_um, knots_um, row) for row in np.eye(len(knots_um))])


def session_displacements(
    matches: Matches, *, n_sessions: int, knots_um: NDArray[np.float64], motion_max_um: float
) -> NDArray[np.float64]:
    """Displacement of each session at each knot in µm, with a mean of zero over the sessions.

    Parameters
    ----------
    matches
        Pairs of units of all sessions on one shank.
    n_sessions
    knots_um : (knot,)
        One knot makes the motion rigid; two make it linear in depth.
    motion_max_um
        Largest shift between two sessions.

    Returns
    -------
    (session, knot)
    """
    if not len(matches.weight):
        return np.zeros((n_sessions, len(knots_um)))
    apart = matches.depth_b - matches.depth_a
    moved = _coarse(matches, n_sessions, knots_um, motion_max_um)
    for scale in SCALES_UM:
        for _ in range(N_ROUNDS):
            # A displacement belongs to a depth in the tissue, not on the probe: otherwise, a displacement that puts all
            # units at one depth would explain every pair.
            hats = hat_functions(_tissue_depth(matches, moved, knots_um), knots_um)
            between = (hats * (moved[matches.session_b] - moved[matches.session_a])).sum(axis=1)
            weight = matches.weight / (1.0 + ((apart - between) / scale) ** 2) ** 2
            before, moved = moved, _least_squares(matches, hats, apart, weight, n_sessions)
            if np.abs(moved - before).max() < SETTLED_UM:
                break
    return moved


def depth_in_tissue(
    depth_um: NDArray[np.float64], moved: NDArray[np.float64], knots_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Depth of each unit in the resting tissue, from its depth on the probe.

    Parameters
    ----------
    depth_um : (unit,)
    moved : (unit, knot)
        Displacement of the unit's session.
    knots_um : (knot,)

    Examples
    --------
    >>> depth_in_tissue(np.array([130.0]), np.array([[20.0, 40.0]]), np.array([0.0, 200.0])).round(6).tolist()
    [100.0]
    """
    return np.asarray(_resting(np.asarray(depth_um, np.float64), np.asarray(moved, np.float64), knots_um))


@kernel
def _resting(
    depth_um: NDArray[np.float64], moved: NDArray[np.float64], knots_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Depth in the tissue of each unit by itself: the displacement at a depth that is itself searched."""
    out = np.empty_like(depth_um)
    for unit in range(depth_um.size):
        depth = depth_um[unit] - moved[unit].mean()
        for _ in range(N_ROUNDS):
            knot = 0
            while knot < knots_um.size - 2 and depth > knots_um[knot + 1]:
                knot += 1
            shift = moved[unit, knot]
            if knots_um.size > 1:
                share = (depth - knots_um[knot]) / (knots_um[knot + 1] - knots_um[knot])
                shift += min(max(share, 0.0), 1.0) * (moved[unit, knot + 1] - shift)
            depth = depth_um[unit] - shift
        out[unit] = depth
    return out


def _tissue_depth(matches: Matches, moved: NDArray[np.float64], knots_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth of each pair in the tissue: the mean of its two units."""
    first = depth_in_tissue(matches.depth_a, moved[matches.session_a], knots_um)
    second = depth_in_tissue(matches.depth_b, moved[matches.session_b], knots_um)
    return np.asarray((first + second) / 2)


def support(
    matches: Matches, moved: NDArray[np.float64], knots_um: NDArray[np.float64], *, residual_max_um: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many of the matches of each session its displacement brings together, and how many any other one would.

    Parameters
    ----------
    matches, knots_um
        As for :func:`session_displacements`.
    moved : (session, knot)
    residual_max_um
        Distance up to which a match is brought together.

    Returns
    -------
    share : (session,)
        Of the matches of the session; 0 for a session without matches. By chance, it is about that of the search
        range; neurons that are in both sessions bring far more together.
    excess : (session,)
        Matches within twice the distance, less those of the best displacement that is clearly different, in standard
        deviations of the latter number.
    """
    first = depth_in_tissue(matches.depth_a, moved[matches.session_a], knots_um)
    second = depth_in_tissue(matches.depth_b, moved[matches.session_b], knots_um)
    apart = second - first
    ends = matches.session_a, matches.session_b

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(sum(np.bincount(end[chosen], minlength=len(moved)) for end in ends), np.float64)

    n_all, n_near = count(np.ones(len(apart), np.bool_)), count(np.abs(apart) <= residual_max_um)
    share = np.divide(n_near, n_all, out=np.zeros(len(moved)), where=n_all > 0)
    reach = float(np.abs(apart).max(initial=0.0))
    others = np.arange(DIFFERENT_UM, max(reach, DIFFERENT_UM) + residual_max_um, residual_max_um)
    most = np.max([count(np.abs(apart - shift) <= 2 * residual_max_um) for shift in (*others, *-others)], axis=0)
    excess = (count(np.abs(apart) <= 2 * residual_max_um) - most) / np.sqrt(np.maximum(most, 1.0))
    return share, excess


def _least_squares(
    matches: Matches,
    hats: NDArray[np.float64],
    apart: NDArray[np.float64],
    weight: NDArray[np.float64],
    n_sessions: int,
) -> NDArray[np.float64]:
    """Displacements with the smallest weighted squared residual, with a mean of zero at every knot."""
    n_knots = hats.shape[1]
    size = n_sessions * n_knots
    normal, right = np.zeros((size, size)), np.zeros(size)
    ends = ((matches.session_a * n_knots, -1.0), (matches.session_b * n_knots, 1.0))
    for k in range(n_knots):
        for at, sign in ends:
            np.add.at(right, at + k, sign * weight * hats[:, k] * apart)
            for m in range(n_knots):
                for other, other_sign in ends:
                    np.add.at(normal, (at + k, other + m), sign * other_sign * weight * hats[:, k] * hats[:, m])
    stiffness = BENDING * weight.mean()
    if n_knots > 2:
        bend = np.diff(np.eye(n_knots), n=2, axis=0)
        normal += np.kron(np.eye(n_sessions), stiffness * bend.T @ bend)
    # Sessions and knots without pairs are at the mean of the others.
    normal += 1e-6 * max(stiffness, 1e-12) * np.eye(size)
    if n_knots > 1:
        tie = np.diff(np.eye(n_knots), axis=0)
        normal += np.kron(np.eye(n_sessions), 1e-3 * stiffness * tie.T @ tie)
    moved = np.linalg.solve(normal, right).reshape(n_sessions, n_knots)
    return np.asarray(moved - moved.mean(axis=0))


def _coarse(
    matches: Matches, n_sessions: int, knots_um: NDArray[np.float64], motion_max_um: float
) -> NDArray[np.float64]:
    """Displacements that follow from the votes of all pairs of sessions."""
    low, high = knots_um[0], knots_um[-1]
    # A tilt about the depth of the units leaves their shift alone.
    span, middle = max(high - low, 1.0), float(np.median((matches.depth_a + matches.depth_b) / 2))
    # Nothing is displaced by more than the distance of its ends.
    depths = np.concatenate([matches.depth_a, matches.depth_b])
    reach = min(motion_max_um, TILT_STEP_UM * np.ceil(np.ptp(depths) / TILT_STEP_UM))
    tilts = np.arange(-reach, reach + 1, TILT_STEP_UM) if len(knots_um) > 1 else np.zeros(1)
    shifts = np.arange(-reach, reach + 1, SHIFT_STEP_UM)
    edges: list[tuple[float, ...]] = []
    for first in range(n_sessions):
        for second in range(first + 1, n_sessions):
            here = (matches.session_a == first) & (matches.session_b == second)
            if here.any():
                at = (matches.depth_a[here] + matches.depth_b[here]) / 2
                votes = _votes(
                    (at - middle) / span,
                    (matches.depth_b - matches.depth_a)[here],
                    matches.weight[here],
                    shifts=shifts,
                    tilts=tilts,
                )
                tilt, shift = np.unravel_index(votes.argmax(), votes.shape)
                edges.append((first, second, shifts[shift], tilts[tilt], max(votes.max(), 1e-9)))
    if not edges:
        return np.zeros((n_sessions, len(knots_um)))
    table = np.array(edges, np.float64)
    ends = table[:, :2].astype(np.int64)
    shifted = _agreed(ends[:, 0], ends[:, 1], table[:, 2], table[:, 4], n_sessions)
    tilted = (
        _agreed(ends[:, 0], ends[:, 1], table[:, 3], table[:, 4], n_sessions)
        if len(tilts) > 1
        else np.zeros(n_sessions)
    )
    return np.asarray(shifted[:, None] + tilted[:, None] * ((knots_um - middle) / span)[None])


def _votes(
    at: NDArray[np.float64],
    apart: NDArray[np.float64],
    weight: NDArray[np.float64],
    *,
    shifts: NDArray[np.float64],
    tilts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum of the weights of the pairs that each shift and tilt explain, ``(tilt, shift)``."""
    votes = np.empty((len(tilts), len(shifts)))
    for k, tilt in enumerate(tilts):
        residual = apart[:, None] - tilt * at[:, None] - shifts[None]
        votes[k] = weight @ np.exp(-0.5 * (residual / VOTE_UM) ** 2) - TILT_COST * abs(tilt) * weight.mean()
    return votes


def _agreed(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    apart: NDArray[np.float64],
    weight: NDArray[np.float64],
    n_sessions: int,
) -> NDArray[np.float64]:
    """One value per session such that the differences match those of most pairs of sessions."""
    value = _along_tree(first, second, apart, weight, n_sessions)
    for _ in range(5 * N_ROUNDS):
        robust = weight / (1.0 + ((apart - (value[second] - value[first])) / EDGE_SCALE_UM) ** 2) ** 2
        normal, right = 1e-9 * np.eye(n_sessions) * robust.sum(), np.zeros(n_sessions)
        np.add.at(normal, (first, first), robust)
        np.add.at(normal, (second, second), robust)
        np.add.at(normal, (first, second), -robust)
        np.add.at(normal, (second, first), -robust)
        np.add.at(right, second, robust * apart)
        np.add.at(right, first, -robust * apart)
        value = np.linalg.solve(normal, right)
    return np.asarray(value - value.mean())


def _along_tree(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    apart: NDArray[np.float64],
    weight: NDArray[np.float64],
    n_sessions: int,
) -> NDArray[np.float64]:
    """One value per session that follows the largest weights only: those of a spanning tree.

    A wrong difference between two sessions has few votes, and does not matter where others lead to both.
    """
    value, part = np.zeros(n_sessions), np.arange(n_sessions)
    for edge in np.argsort(-weight, kind="stable"):
        a, b = first[edge], second[edge]
        if part[a] != part[b]:
            moved = part == part[b]
            value[moved] += value[a] + apart[edge] - value[b]
            part[moved] = part[a]
    return value
