"""Learn from the sessions themselves how likely a pair of units is one neuron, and which units are parts of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .pairs import Pairs, joined, session_pairs

if TYPE_CHECKING:
    from ..kernels.track.pairs import Units

#: What is added to the log odds that two units of a session are parts of one neuron for every session in which their
#: best partner is the same, or is not.
SHARED_LOG_ODDS, APART_LOG_ODDS = 1.0, -2.5
#: A shared partner whose log odds differ by more than this belongs to one of the two, and so do different partners that
#: are better by this, on average, than if they were swapped.
UNEVEN_LOG_ODDS = 5.0
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


class _Seen(NamedTuple):
    """Pairs of units that are near each other and look alike, and how many pairs of units there are at all."""

    pairs: list[Pairs]
    """By the number of places that the sessions of a pair are apart, from 0."""
    n_pairs: list[float]

    def ratio(self, n_apart: int | None = None) -> float:
        """Pairs of units of sessions up to so many places apart, for each pair of one session."""
        return max(sum(self.n_pairs[1 : None if n_apart is None else n_apart + 1]), 1.0) / max(self.n_pairs[0], 1.0)


def learned_odds(
    blocks: list[dict[int, Units]],
    session: NDArray[np.int64],
    known: NDArray[np.bool_],
    related: NDArray[np.bool_],
    *,
    distance_max_um: float,
) -> xr.Dataset:
    """Learn the odds of a pair from its features, in sessions whose motion is known if there are at least two.

    Only there are footprints on a lattice; otherwise they are those around each unit. Two sessions that are not
    ``related`` are displaced by an unknown distance and say nothing about pairs of one neuron.
    """
    from ..kernels.track.identity import SPLIT_ODDS, learn_odds
    from ..kernels.track.pairs import FEATURES, SCALE_UM, WEIGHTS

    shared = bool(known.sum() > 1)
    used, related = (_in_order(known, related), related) if shared else (np.arange(len(known)), np.ones_like(related))
    seen = _seen(blocks, session, used, related, distance_max_um)
    if shared:
        odds, split, scale = _odds_of_shared(blocks, seen, session, used, related, distance_max_um)
    else:
        pairs = joined(seen.pairs)
        cross = session[pairs.first] != session[pairs.second]
        odds = learn_odds(pairs.features.astype(np.float64), cross, WEIGHTS, ratio=seen.ratio(), shared=False)
        split, scale = SPLIT_ODDS, SCALE_UM
    return xr.Dataset(
        {
            "weight": ("feature", odds[:-1]), "constant": odds[-1], "split_odds": split,
            "scale_um": ("placed", list(scale)),
        },
        coords={"feature": list(FEATURES)},
        attrs={"registered": int(shared)},
    )  # fmt: skip


def _in_order(known: NDArray[np.bool_], related: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Known sessions, related ones one after the other."""
    used = np.flatnonzero(known)
    return used[np.argsort(related[used].argmax(axis=1), kind="stable")]


def _seen(
    blocks: list[dict[int, Units]],
    session: NDArray[np.int64],
    used: NDArray[np.int64],
    related: NDArray[np.bool_],
    distance_max_um: float,
) -> _Seen:
    """Sessions that follow each other come first; those far apart are left out if there are more pairs than needed."""
    sizes = np.bincount(session, minlength=int(used.max()) + 1).astype(np.float64)
    found, n_pairs = [], []
    for apart in range(len(used)):
        ends = _ends(used, apart, related)
        found.append(joined([session_pairs(blocks, distance_max_um=distance_max_um, between=both) for both in ends]))
        n_pairs.append(sum(sizes[a] * sizes[b] if apart else sizes[a] * (sizes[a] - 1) / 2 for a, b in ends))
        if apart >= N_APART_MIN and sum(len(some.first) for some in found) > N_PAIRS_LEARNED:
            break
    return _Seen(found, n_pairs)


def _odds_of_shared(
    blocks: list[dict[int, Units]],
    seen: _Seen,
    session: NDArray[np.int64],
    used: NDArray[np.int64],
    related: NDArray[np.bool_],
    distance_max_um: float,
) -> tuple[NDArray[np.float64], float, tuple[float, float, float]]:
    """Odds, split odds and the scale of locations, where sessions have neurons in common.

    The odds are first learned with locations as exact as they usually are, then with the exactness that they have
    here, and last without units that are parts of one neuron. Where a sorter has split many neurons, the odds are
    learned again with its share of parts, as :func:`_learned_apart` estimates it. Where most of the units of a session
    that look the same are parts of one neuron, units of one session tell nothing about different neurons, and the odds
    are those of that function.
    """
    from ..kernels.track.identity import SPLIT_ODDS, learn_odds, log_odds_of, probability_of
    from ..kernels.track.pairs import WEIGHTS_ON_LATTICE, location_scale, rescaled

    pairs, ratio, split = joined(seen.pairs), seen.ratio(), SPLIT_ODDS
    every, cross = pairs.features.astype(np.float64), session[pairs.first] != session[pairs.second]
    odds = learn_odds(every, cross, WEIGHTS_ON_LATTICE, ratio=ratio)
    scale = location_scale(every[cross], probability_of(every[cross], odds))
    every = rescaled(every, scale)
    odds = learn_odds(every, cross, WEIGHTS_ON_LATTICE, ratio=ratio)
    kept = ~parts_of_one(pairs, log_odds_of(every, odds), session)
    odds = learn_odds(every[kept], cross[kept], WEIGHTS_ON_LATTICE, ratio=ratio)
    n_within, n_close = (sum(len(some.first) for some in seen.pairs[:n]) for n in (1, N_APART_MIN + 1))
    close = every[n_within:n_close]
    others, many = _learned_apart(
        blocks, every[:n_within], close, used, related, seen.ratio(N_APART_MIN), distance_max_um, scale
    )
    if many > MANY_PARTS:
        odds, split = others, many
    if MANY_PARTS < many < ALL_PARTS:
        with_parts = learn_odds(every, cross, WEIGHTS_ON_LATTICE, ratio=ratio, split=many)
        n_same, n_others = (float(probability_of(close, some).sum()) for some in (with_parts, others))
        odds = with_parts if n_same >= FOUND_MIN * n_others else others
    return odds, split, scale


def _ends(sessions: NDArray[np.int64], apart: int, related: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Related pairs of sessions that are so many places apart, the earlier one first; each one with itself for 0."""
    ends = [sorted((int(sessions[k]), int(sessions[k + apart]))) for k in range(len(sessions) - apart)]
    return [(a, b) for a, b in ends if related[a, b]]


def _learned_apart(
    blocks: list[dict[int, Units]],
    within: NDArray[np.float64],
    cross: NDArray[np.float64],
    used: NDArray[np.int64],
    related: NDArray[np.bool_],
    ratio: float,
    distance_max_um: float,
    scale_um: tuple[float, float, float],
) -> tuple[NDArray[np.float64], float]:
    """Odds learned from sessions near each other in time and units at different depths, and the split odds.

    Units of different sessions whose depths differ by more than the search range are different neurons, whatever a
    sorter does. The split odds are the usual ones where no more than a few units are clearly split.
    """
    from ..kernels.track.identity import SPLIT_ODDS, estimate_split_odds, learn_odds, probability_of
    from ..kernels.track.pairs import WEIGHTS_ON_LATTICE, count_near

    ends = [both for step in range(1, N_APART_MIN + 1) for both in _ends(used, step, related)]
    found: list[Pairs] = []
    for both in ends:
        found += [
            session_pairs(blocks, distance_max_um=distance_max_um, between=both, displaced_um=shift, scale_um=scale_um)
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
        np.concatenate([cross, apart]), np.arange(len(cross) + len(apart)) < len(cross), WEIGHTS_ON_LATTICE,
        ratio=max(near, 1) / max(2 * far * part, 1), split=0.0,
    )  # fmt: skip
    n_same = float(probability_of(cross, odds).sum()) / ratio
    split, gain = estimate_split_odds(within @ odds[:-1] + odds[-1], n_same=n_same)
    return odds, split if split > MANY_PARTS and gain > GAIN_MIN else SPLIT_ODDS


def parts_of_one(pairs: Pairs, log_odds: NDArray[np.float64], session: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pairs of units of one session that are probably parts of one neuron.

    Two neurons that look alike have different partners where both were found, and share one where only one of them was;
    parts of one neuron always share theirs, and are about as similar to it. Where the partners of both are parts
    themselves, any of them may be the best, but none is much better than the others.
    """
    from ..kernels.track.identity import PROBABILITY_MIN, SPLIT_ODDS, best_partners, values_between

    each = 1.0 / (1.0 + np.exp(-log_odds))
    best = best_partners(pairs.first, pairs.second, each, session, probability_min=0.5)
    at = np.flatnonzero((session[pairs.first] == session[pairs.second]) & (each >= 0.5))
    first, second = pairs.first[at, None], pairs.second[at, None]
    of_first, of_second = best[first[:, 0]], best[second[:, 0]]
    both = (of_first >= 0) & (of_second >= 0)
    between = values_between(pairs.first, pairs.second, log_odds, len(session), missing=np.log(PROBABILITY_MIN))
    one = both & (of_first == of_second)
    own, other = (between(first, a) + between(second, b) for a, b in ((of_first, of_second), (of_second, of_first)))
    uneven = np.abs(between(first, of_first) - between(second, of_second)) > UNEVEN_LOG_ODDS
    swapped = np.minimum(between(first, of_second), between(second, of_first)) < 0.0
    apart = swapped | (own - other > 2 * UNEVEN_LOG_ODDS)
    n_shared = (one & ~uneven).sum(axis=1)
    n_apart = ((one & uneven) | (both & ~one & apart)).sum(axis=1)
    evidence = (
        np.minimum(log_odds[at], -np.log(PROBABILITY_MIN))
        + np.log(SPLIT_ODDS) + SHARED_LOG_ODDS * n_shared + APART_LOG_ODDS * n_apart
    )  # fmt: skip
    out = np.zeros(len(each), np.bool_)
    out[at] = (n_shared > 0) & (evidence > 0)
    return out
