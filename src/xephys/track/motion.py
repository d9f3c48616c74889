"""Displacement of the tissue between sessions, per shank, estimated from units that look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from .pairs import session_blocks, session_matches

if TYPE_CHECKING:
    from ..kernels.track.motion import Matches

#: Models of the displacement over depth, and the distance of their knots in µm: one knot, one at each end, or several.
MODELS = {"rigid": np.inf, "linear": 0.0, "smooth": 500.0}
#: A match with a smaller residual supports a displacement. It is accepted with this share of supporting matches, or if
#: it has more of them than any other displacement has, by this number of standard deviations.
SUPPORT_UM, SUPPORT_MIN, EXCESS_MIN = 5.0, 0.3, 4.5
#: Two groups of several sessions need more supporting matches than this between them: one coincidence of two neurons is
#: found again in every pair of sessions, up to four times where both groups have two.
N_BETWEEN_MIN = 4
#: Share from which on a match may support a displacement: no other pair of its units is as good.
SHARE_SUPPORT = 0.5
#: Largest displacement across the shank between two sessions, and matches that it needs.
ACROSS_MAX_UM, N_ACROSS_MIN = 40.0, 5
#: Sessions before an added one that tell its displacement, if they can.
N_LATEST = 8


def knots_of(depth: NDArray[np.float64], model: str) -> NDArray[np.float64]:
    """Depths at which the displacement is estimated, in µm.

    Examples
    --------
    >>> knots_of(np.array([0.0, 1000.0]), "smooth").tolist(), knots_of(np.array([0.0, 1000.0]), "rigid").tolist()
    ([0.0, 500.0, 1000.0], [500.0])
    """
    low, high = (float(depth.min()), float(depth.max())) if len(depth) else (0.0, 0.0)
    if model == "rigid" or high - low < 1.0:
        return np.array([(low + high) / 2])
    spacing = MODELS[model] or high - low
    return np.linspace(low, high, max(round((high - low) / spacing), 1) + 1)


def estimate_session_motion(
    units: xr.Dataset, *, n_sessions: int, known: Any, model: str, motion_max_um: float
) -> xr.Dataset:
    """Displacement of every session, from pairs of units that are each other's best match, wherever they are.

    A displacement that is given stays as it is; it counts as known where such pairs support it.
    """
    from ..kernels.track.motion import Matches

    session, shank = np.asarray(units["session"]), np.asarray(units["shank"]).astype(str)
    depth = np.asarray(units["place"])[:, 1]
    names = np.unique(shank)
    given = None if known is None else _given(known, n_sessions, len(names))
    knots = knots_of(depth, model) if given is None else given[1]
    moved, believed = np.zeros((len(names), n_sessions, len(knots))), np.zeros((len(names), n_sessions), np.bool_)
    across, group = np.zeros((len(names), n_sessions)), np.tile(np.arange(n_sessions), (len(names), 1))
    if given is not None:
        moved, group = given[0], np.zeros_like(group)
    x = np.asarray(units["place"])[:, 0]
    pairs, share = session_matches(session_blocks(units, depth, x), distance_max_um=motion_max_um)
    for row, name in enumerate(names):
        here = shank[pairs.first] == name
        if here.any():
            first, second = pairs.first[here], pairs.second[here]
            matches = Matches(session[first], session[second], depth[first], depth[second], share[here])
            if given is None:
                moved[row], group[row] = _believed(matches, n_sessions, knots, motion_max_um)
                believed[row] = np.bincount(group[row])[group[row]] > 1
            else:
                believed[row] = _supported(matches, moved[row], knots)
            sides = matches._replace(depth_a=x[first], depth_b=x[second])
            across[row] = _across(matches, sides, moved[row], knots, group[row], believed[row])
    return _dataset(moved, across, knots, names, believed, group)


def _across(
    matches: Matches,
    sides: Matches,
    moved: NDArray[np.float64],
    knots: NDArray[np.float64],
    group: NDArray[np.int64],
    believed: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Displacement of each session across the shank, from the matches that its displacement brings together.

    ``sides`` are the matches with x in place of the depth. A session with few of them is taken not to have moved.
    """
    from ..kernels.track.motion import depth_in_tissue, session_displacements

    ends = (matches.depth_a, matches.session_a), (matches.depth_b, matches.session_b)
    first, second = (depth_in_tissue(depth, moved[session], knots) for depth, session in ends)
    kept = (np.abs(second - first) <= SUPPORT_UM) & (matches.weight >= SHARE_SUPPORT)
    kept &= believed[matches.session_a] & believed[matches.session_b]
    kept &= group[matches.session_a] == group[matches.session_b]
    some = type(sides)(*(column[kept] for column in sides))
    n_matches = np.bincount(some.session_a, minlength=len(moved)) + np.bincount(some.session_b, minlength=len(moved))
    out = session_displacements(some, n_sessions=len(moved), knots_um=np.zeros(1), motion_max_um=ACROSS_MAX_UM)[:, 0]
    enough = believed & (n_matches >= N_ACROSS_MIN)
    for number in np.unique(group[enough]):
        out[enough & (group == number)] -= out[enough & (group == number)].mean()
    return np.asarray(np.where(enough, out, 0.0))


def _believed(
    matches: Matches, n_sessions: int, knots: NDArray[np.float64], motion_max_um: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Displacements, and the groups of sessions in which enough matches support them, each named by its first session.

    Groups do not affect one another, and are at rest on average. A session that no other supports is a group of its
    own, and its displacement is 0.
    """
    from ..kernels.track.motion import session_displacements

    def moved(some: Matches) -> NDArray[np.float64]:
        return session_displacements(some, n_sessions=n_sessions, knots_um=knots, motion_max_um=motion_max_um)

    first = moved(matches)
    group = _groups(matches, first, knots, _supported(matches, first, knots))
    if not group.any():
        return first, group
    out = np.zeros_like(first)
    for number in np.flatnonzero(np.bincount(group) > 1):
        here = group == number
        inside = here[matches.session_a] & here[matches.session_b]
        part = moved(type(matches)(*(column[inside] for column in matches)))[here]
        out[here] = part - part.mean(axis=0)
    return out, group


def _groups(
    matches: Matches, moved: NDArray[np.float64], knots: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Sessions whose displacements relative to one another enough matches support; each group is named by its first.

    Sessions may fall into parts, each of which shares many neurons, while chance alone says how far one is from the
    other. So the sessions are joined by a tree of those pairs that have the most supporting matches, and every branch
    that falls in two without enough matches between both is cut.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    from ..kernels.track.motion import depth_in_tissue

    n_sessions = len(moved)
    kept = (matches.weight >= SHARE_SUPPORT) & known[matches.session_a] & known[matches.session_b]
    a, b = matches.session_a[kept], matches.session_b[kept]
    first = depth_in_tissue(matches.depth_a[kept], moved[a], knots)
    second = depth_in_tissue(matches.depth_b[kept], moved[b], knots)
    count = np.zeros((n_sessions, n_sessions))
    np.add.at(count, (a, b), np.abs(second - first) <= SUPPORT_UM)
    at = np.nonzero(count)
    edges = minimum_spanning_tree(coo_array((1.0 / count[at], at), shape=count.shape)).tocoo()
    ends = np.column_stack([edges.row, edges.col])

    def parts(some: NDArray[np.bool_]) -> NDArray[np.int64]:
        tree = coo_array((np.ones(int(some.sum())), tuple(ends[some].T)), shape=count.shape)
        return np.asarray(connected_components(tree, directed=False)[1], np.int64)

    holds = np.ones(len(ends), np.bool_)
    for edge, (low, high) in enumerate(ends):
        side = parts(np.arange(len(ends)) != edge)
        forth, back = (side[a] == side[low]) & (side[b] == side[high]), (side[a] == side[high]) & (side[b] == side[low])
        across = forth | back
        both = np.where(forth, first, second)[across], np.where(forth, second, first)[across]
        zero, one = np.zeros(int(across.sum()), np.int64), np.ones(int(across.sum()), np.int64)
        between = type(matches)(zero, one, *both, matches.weight[kept][across])
        holds[edge] = _supported(between, np.zeros((2, 1)), np.zeros(1)).all()
        several = min((side == side[low]).sum(), (side == side[high]).sum()) > 1
        holds[edge] &= not several or (np.abs(both[1] - both[0]) <= SUPPORT_UM).sum() > N_BETWEEN_MIN
    part = parts(holds)
    return np.asarray(np.unique(part, return_index=True)[1][part], np.int64)


def _supported(matches: Matches, moved: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Sessions whose displacement brings enough matches together."""
    from ..kernels.track.motion import support

    clear = matches.weight >= SHARE_SUPPORT
    share, excess = support(
        type(matches)(*(column[clear] for column in matches)), moved, knots, residual_max_um=SUPPORT_UM
    )
    return np.asarray((share >= SUPPORT_MIN) | (excess >= EXCESS_MIN))


def extend_session_motion(units: xr.Dataset, motion: xr.Dataset, *, motion_max_um: float) -> xr.Dataset:
    """Displacement of the last session relative to all others, which stay fixed.

    The latest sessions whose displacement is known share the most neurons with it, and tell it if they can. Only where
    they do not are all sessions searched, so that a session costs as much after a hundred others as after ten.
    """
    session, shank = np.asarray(units["session"]), np.asarray(units["shank"]).astype(str)
    last = int(session.max())
    names, knots = motion["shank"].values.astype(str), motion["knot"].values
    if unknown := sorted(set(shank.tolist()) - set(names.tolist())):
        raise ParameterError(f"the session has shanks {unknown}, the tracks have {names.tolist()}; track it on its own")
    moved = np.concatenate([motion["displacement_um"].values, np.zeros((len(names), 1, len(knots)))], axis=1)
    known = np.concatenate([motion["known"].values, np.zeros((len(names), 1), np.bool_)], axis=1)
    across = np.concatenate([_across_of(motion), np.zeros((len(names), 1))], axis=1)
    group = np.column_stack([_group_of(motion), np.full(len(names), last)])
    before = _dataset(moved, across, knots, names, known, group)
    depth, x = registered_depth(units, before), registered_x(units, before)
    for row, name in enumerate(names):
        for earlier in _told_by(known[row, :last], group[row, :last]):
            here = np.flatnonzero((shank == name) & (np.isin(session, earlier) | (session == last)))
            moved[row, last], across[row, last], known[row, last] = _against_others(
                units.isel(unit=here), depth[here], x[here], last, knots, motion_max_um
            )
            if known[row, last]:
                group[row, last] = group[row, earlier[-1]]
                break
    return _dataset(moved, across, knots, names, known, group)


def _told_by(known: NDArray[np.bool_], group: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Earlier sessions that may tell the displacement of an added one: the latest of each group, and then all."""
    last = len(known)
    latest = [np.flatnonzero(known & (group == number))[-N_LATEST:] for number in np.unique(group[known])]
    latest.sort(key=lambda sessions: -int(sessions[-1]))
    return latest if any(len(sessions) == last for sessions in latest) else [*latest, np.arange(last)]


def _against_others(
    units: xr.Dataset,
    depth: NDArray[np.float64],
    x: NDArray[np.float64],
    last: int,
    knots: NDArray[np.float64],
    motion_max_um: float,
) -> tuple[NDArray[np.float64], float, bool]:
    """Displacement of the last session on one shank, along and across it, and whether enough matches support it."""
    from ..kernels.track.motion import Matches

    pairs, share = session_matches(session_blocks(units, depth, x), distance_max_um=motion_max_um, first=last)
    if not len(share):
        return np.zeros(len(knots)), 0.0, False
    # To the last session, all others are one.
    others, own = np.zeros(len(share), np.int64), np.ones(len(share), np.int64)
    matches = Matches(others, own, depth[pairs.first], depth[pairs.second], share)
    against, group = _believed(matches, 2, knots, motion_max_um)
    sides = matches._replace(depth_a=x[pairs.first], depth_b=x[pairs.second])
    aside = _across(matches, sides, against, knots, group, group == 0)
    return against[1] - against[0], float(aside[1] - aside[0]), not group.any()


def registered_depth(units: xr.Dataset, motion: xr.Dataset) -> NDArray[np.float64]:
    """Depth of each unit in µm, as if its session had not moved."""
    from ..kernels.track.motion import depth_in_tissue

    row = np.searchsorted(motion["shank"].values.astype(str), np.asarray(units["shank"]).astype(str))
    at_knots = motion["displacement_um"].values[row, np.asarray(units["session"])]
    return depth_in_tissue(np.asarray(units["place"])[:, 1], at_knots, motion["knot"].values)


def registered_x(units: xr.Dataset, motion: xr.Dataset) -> NDArray[np.float64]:
    """Location of each unit across its shank in µm, as if its session had not moved."""
    row = np.searchsorted(motion["shank"].values.astype(str), np.asarray(units["shank"]).astype(str))
    return np.asarray(np.asarray(units["place"])[:, 0] - _across_of(motion)[row, np.asarray(units["session"])])


def _across_of(motion: xr.Dataset) -> NDArray[np.float64]:
    """Displacement across each shank ``(shank, session)``; 0 in tracks that were stored without it."""
    if "displacement_x_um" in motion:
        return np.asarray(motion["displacement_x_um"], np.float64)
    return np.zeros((motion.sizes["shank"], motion.sizes["session"]))


def _group_of(motion: xr.Dataset) -> NDArray[np.int64]:
    """Group of each session ``(shank, session)``; in tracks that were stored without it, those known are one."""
    if "group" in motion:
        return np.asarray(motion["group"], np.int64)
    known = motion["known"].values
    return np.where(known, known.argmax(axis=1)[:, None], np.arange(known.shape[1]))


def related_sessions(motion: xr.Dataset) -> NDArray[np.bool_]:
    """Which sessions, on any shank, are displaced from one another by what is known, ``(session, session)``."""
    group = _group_of(motion)
    return np.asarray((group[:, :, None] == group[:, None]).any(axis=0))


def _given(known: Any, n_sessions: int, n_shanks: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Displacements ``(shank, session, knot)`` and the depths of their knots, from what a user gives."""
    if isinstance(known, xr.DataTree):
        known = (known["motion"] if "motion" in known.children else known).to_dataset()
    table = known["displacement_um"] if isinstance(known, xr.Dataset) and "displacement_um" in known else known
    knots = np.asarray(table["knot"], np.float64) if isinstance(table, xr.DataArray) and "knot" in table.dims else None
    try:
        values = np.asarray(table, np.float64)
    except (TypeError, ValueError):
        values = np.full(np.shape(table), np.nan)
    shape = (n_sessions,) if knots is None else (n_sessions, len(knots))
    if values.shape not in (shape, (n_shanks, *shape)) or not np.isfinite(values).all():
        raise ParameterError(
            f"motion has shape {values.shape} for {n_sessions} sessions; give one finite displacement in µm for each, "
            "or a DataArray (session, knot) with the depth of each knot as its coordinate, or one such per shank"
        )
    moved = np.broadcast_to(
        values if knots is not None else values[..., None],
        (n_shanks, *shape[:1], len(knots) if knots is not None else 1),
    )
    return moved - moved.mean(axis=1, keepdims=True), np.zeros(1) if knots is None else knots


def _dataset(
    moved: NDArray[np.float64],
    across: NDArray[np.float64],
    knots: NDArray[np.float64],
    shanks: NDArray[np.str_],
    known: NDArray[np.bool_],
    group: NDArray[np.int64],
) -> xr.Dataset:
    attributes = {"units": "um", "long_name": "displacement of the tissue towards larger y"}
    to_side = {"units": "um", "long_name": "displacement of the tissue towards larger x"}
    return xr.Dataset(
        {
            "displacement_um": (("shank", "session", "knot"), moved, attributes),
            "displacement_x_um": (("shank", "session"), across, to_side),
            "known": (("shank", "session"), known, {"long_name": "false where too few matches support it"}),
            "group": (
                ("shank", "session"),
                group,
                {"long_name": "displacements are relative to sessions of the same group"},
            ),
        },
        coords={"shank": shanks, "knot": ("knot", knots, {"units": "um"})},
    )
