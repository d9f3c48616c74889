"""Learn from the sessions themselves how likely a pair of units is one neuron, and which units are parts of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .pairs import Pairs, joined, session_pairs

if TYPE_CHECKING:
    from ..kernels.track.pairs import Units

#: What is added to the log odds that two units of a session are parts of one neuron for every session in which their
#: best partner is the same, or is not.
SHARED_LOG_ODDS, APART_LOG_ODDS = 1.0, -2.5
#: A shared partner whose log odds differ by more than this belongs to one of the two.
UNEVEN_LOG_ODDS = 4.0
#: Pairs from which the odds are learned, as many as there are up to about this, and the distance of two sessions up to
#: which all of them are used.
N_PAIRS_LEARNED, N_APART_MIN = 2_000_000, 2
#: Displacement in µm at which pairs of different neurons are collected.
APART_UM = 150.0
#: Split odds from which on units of one session say little about different neurons, and how much more likely, as a
#: logarithm, such odds must make the pairs.
MANY_PARTS, GAIN_MIN = 0.3, 20.0
#: Split odds from which on units of one session that look the same are as often one neuron as those of two sessions,
#: and tell nothing.
ALL_PARTS = 1.0
#: The odds are learned without pairs of one session if these hide more than this share of the pairs of one neuron.
FOUND_MIN = 0.5


def learned_odds(
    blocks: list[dict[int, Units]], session: NDArray[np.int64], known: NDArray[np.bool_], *, distance_max_um: float
) -> xr.Dataset:
    """Learn the odds of a pair from its features, in sessions whose motion is known if there are at least two.

    They are learned twice, the second time without units that are parts of one neuron. Sessions that follow each other
    come first, and those farther apart are left out once there are more pairs than learning can use. Where a sorter
    has split many neurons, the odds are learned again with its share of parts, as :func:`_learned_apart` estimates it.
    Where most of the units of a session that look the same are parts of one neuron, units of one session tell nothing
    about different neurons, and the odds are those of that function.
    """
    from ..kernels.track.identity import SPLIT_ODDS, learn_odds, probability_of
    from ..kernels.track.pairs import FEATURES, WEIGHTS

    shared = bool(known.sum() > 1)
    used = np.flatnonzero(known) if shared else np.arange(len(known))
    sizes = np.bincount(session, minlength=len(known))[used].astype(np.float64)
    within = (sizes * (sizes - 1)).sum() / 2
    between: list[float] = []
    found: list[list[Pairs]] = []
    for apart in range(len(sizes)):
        found.append(
            [session_pairs(blocks, distance_max_um=distance_max_um, between=both) for both in _ends(used, apart)]
        )
        between.append(float((sizes[:-apart] * sizes[apart:]).sum()) if apart else 0.0)
        if apart >= N_APART_MIN and sum(len(some.first) for each in found for some in each) > N_PAIRS_LEARNED:
            break
    features = [joined(some).features.astype(np.float64) for some in found]
    pairs = joined([some for each in found for some in each])
    every, cross = np.concatenate(features), session[pairs.first] != session[pairs.second]
    ratio = max(sum(between), 1.0) / max(within, 1.0)
    odds, split = learn_odds(every, cross, WEIGHTS, ratio=ratio, shared=shared), SPLIT_ODDS
    kept = ~parts_of_one(pairs, probability_of(every, odds), session)
    odds = learn_odds(every[kept], cross[kept], WEIGHTS, ratio=ratio, shared=shared)
    if shared:
        close = np.concatenate(features[1 : N_APART_MIN + 1])
        ratio_close = sum(between[: N_APART_MIN + 1]) / max(within, 1.0)
        others, many = _learned_apart(blocks, features[0], close, used, ratio_close, distance_max_um)
        if many > MANY_PARTS:
            odds, split = others, many
        if MANY_PARTS < many < ALL_PARTS:
            with_parts = learn_odds(every, cross, WEIGHTS, ratio=ratio, split=many)
            n_same, n_others = (float(probability_of(close, some).sum()) for some in (with_parts, others))
            odds = with_parts if n_same >= FOUND_MIN * n_others else others
    return xr.Dataset(
        {"weight": ("feature", odds[:-1]), "constant": odds[-1], "split_odds": split},
        coords={"feature": list(FEATURES)},
    )


def _ends(sessions: NDArray[np.int64], apart: int) -> list[tuple[int, int]]:
    """Pairs of sessions that are so many places apart; each one with itself for 0."""
    return [(int(sessions[k]), int(sessions[k + apart])) for k in range(len(sessions) - apart)]


def _learned_apart(
    blocks: list[dict[int, Units]],
    within: NDArray[np.float64],
    cross: NDArray[np.float64],
    used: NDArray[np.int64],
    ratio: float,
    distance_max_um: float,
) -> tuple[NDArray[np.float64], float]:
    """Odds learned from sessions near each other in time and units at different depths, and the split odds.

    Units of different sessions whose depths differ by more than the search range are different neurons, whatever a
    sorter does. The split odds are the usual ones where no more than a few units are clearly split.
    """
    from ..kernels.track.identity import SPLIT_ODDS, estimate_split_odds, learn_odds, probability_of
    from ..kernels.track.pairs import WEIGHTS, count_near

    ends = [both for step in range(1, N_APART_MIN + 1) for both in _ends(used, step)]
    found: list[Pairs] = []
    for both in ends:
        found += [
            session_pairs(blocks, distance_max_um=distance_max_um, between=both, displaced_um=shift)
            for shift in (-APART_UM, APART_UM)
        ]
        if sum(len(some.first) for some in found) > N_PAIRS_LEARNED:
            break
    apart, part = joined(found).features.astype(np.float64), len(found) / (2 * len(ends))
    # Fewer pairs fit in where one session is displaced: the ends of the shank have no partner.
    depths = [block.places[:, 1] for of_shank in blocks for block in of_shank.values()]
    near, far = (
        sum(count_near(depth, distance_max_um=distance_max_um, displaced_um=shift) for depth in depths)
        for shift in (0.0, APART_UM)
    )
    odds = learn_odds(
        np.concatenate([cross, apart]), np.arange(len(cross) + len(apart)) < len(cross), WEIGHTS,
        ratio=max(near, 1) / max(2 * far * part, 1), split=0.0,
    )  # fmt: skip
    n_same = float(probability_of(cross, odds).sum()) / ratio
    split, gain = estimate_split_odds(within @ odds[:-1] + odds[-1], n_same=n_same)
    return odds, split if split > MANY_PARTS and gain > GAIN_MIN else SPLIT_ODDS


def parts_of_one(pairs: Pairs, each: NDArray[np.float64], session: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pairs of units of one session that are probably parts of one neuron.

    Two neurons that look alike have different partners where both were found, and share one where only one of them was;
    parts of one neuron always share theirs, and are about as similar to it. Where the partners of both are parts
    themselves, any of them may be the best, which says nothing.
    """
    from ..kernels.track.identity import SPLIT_ODDS, best_partners, probability_between

    best = best_partners(pairs.first, pairs.second, each, session, probability_min=0.5)
    at = np.flatnonzero((session[pairs.first] == session[pairs.second]) & (each >= 0.5))
    first, second = pairs.first[at, None], pairs.second[at, None]
    of_first, of_second = best[first[:, 0]], best[second[:, 0]]
    both = (of_first >= 0) & (of_second >= 0)
    between = probability_between(pairs.first, pairs.second, each, len(session))
    one = both & (of_first == of_second)
    uneven = np.abs(_log_odds(between(first, of_first)) - _log_odds(between(second, of_second))) > UNEVEN_LOG_ODDS
    swapped = np.minimum(between(first, of_second), between(second, of_first))
    n_shared = (one & ~uneven).sum(axis=1)
    n_apart = ((one & uneven) | (both & ~one & (swapped < 0.5))).sum(axis=1)
    evidence = (
        np.log(each[at] / (1.0 - each[at])) + np.log(SPLIT_ODDS) + SHARED_LOG_ODDS * n_shared + APART_LOG_ODDS * n_apart
    )
    out = np.zeros(len(each), np.bool_)
    out[at] = (n_shared > 0) & (evidence > 0)
    return out


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    from ..kernels.track.identity import PROBABILITY_MIN

    inside = np.clip(probability, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)
    return np.asarray(np.log(inside / (1.0 - inside)))
