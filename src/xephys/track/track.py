"""Track neurons across sessions: join units of many sortings to tracks, with a probability for every pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, count
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice, check_positive, check_share
from ..errors import ParameterError
from ..graph.run import single_threaded_blas
from .motion import MODELS, estimate_session_motion, registered_depth, registered_x, related_sessions
from .odds import learned_odds, parts_of_one
from .pairs import Pairs, gather, session_blocks, session_pairs
from .units import on_axis_of, session_units

#: How strictly units are joined.
STRICTNESS = ("liberal", "intermediate", "conservative")
#: What units are compared by.
PRINTS = ("footprint", "valid", "surprise", "noise", "autocorrelogram", "place")
#: Ways to join units.
PRESETS = ("default", "dant")


@single_threaded_blas()
def track_units(
    sessions: Iterable[xr.DataTree | xr.Dataset],
    *,
    names: Sequence[str] | None = None,
    preset: str = "default",
    motion: Any = None,
    motion_model: str = "linear",
    motion_max_um: float = 200.0,
    distance_max_um: float = 60.0,
    probability_min: float = 0.5,
    strictness: str = "intermediate",
) -> xr.DataTree:
    """Find units of different sessions that are the same neuron.

    Footprints are compared in coordinates relative to each unit, so that the displacement of the tissue between
    sessions can be estimated from pairs that look alike, per shank and jointly for all sessions. Pairs within
    ``distance_max_um`` are then compared by footprint, amplitude, location and autocorrelogram. Two units of one
    session are assumed to be different neurons. The odds that a pair is the same neuron follow from how pairs between
    sessions differ from pairs within sessions (density ratio of Qin and Zhang 1997, Biometrika 84:609), and units of
    one session exclude each other.

    Parameters
    ----------
    sessions
        One sorting, or one table of templates (see :func:`xephys.session_units`), per session, in order of time. They
        are read one after the other, so a generator needs memory for one of them only.
        Channel maps and sampling rates may differ, but ``y`` must run along the shanks in all of them.
    names
        Names of the sessions; numbers from 0 if None.
    preset
        ``"default"`` joins units by probability. ``"dant"`` joins those that the clusters of DANT join (see
        :func:`xephys.track.dant.cluster_similarities`), shank by shank; all sessions need the same channels, and
        ``probability_min`` and ``strictness`` only apply to sessions that are added later.
    motion
        Displacement of each session in µm, if known: ``(session,)``, or a DataArray ``(session, knot)`` whose
        coordinate ``knot`` has depths in µm, such as ``displacement_um`` of ``/motion``, or tracks with a ``/motion``;
        None estimates it.
    motion_model
        ``"rigid"``, ``"linear"`` in depth, or ``"smooth"``, with a knot every 500 µm.
    motion_max_um
        Largest displacement between two sessions.
    distance_max_um
        Pairs farther apart than this after registration are not compared.
    probability_min
        Pairs with a smaller probability do not join tracks.
    strictness
        ``"liberal"`` joins two tracks if any of their pairs is probable enough, ``"intermediate"`` if their pairs are
        probable enough on average, and ``"conservative"`` only if all of them are. A track has at most one unit of each
        session, unless the units are parts of one neuron.

    Returns
    -------
    xarray.DataTree
        ``/units`` (dim ``unit``: ``session``, ``unit_id``, ``track``, raw and registered locations, and ``far_share``,
        above 0.6 for artifacts, which are not compared), ``/pairs`` (dim
        ``pair``: rows of the two units, ``probability``, features), ``/tracks`` (dim ``track``), ``/motion``
        (``displacement_um`` along ``shank``, ``session``, ``knot``, and ``displacement_x_um`` across each shank),
        ``/splits`` (units of one session that look like parts of one neuron), and ``/model`` and ``/footprints``, which
        :func:`xephys.add_session` needs.

    Raises
    ------
    ParameterError
        If there is no session, a parameter is out of range, or a session lacks required data.

    Examples
    --------
    >>> from xephys.testing import simulate_sessions
    >>> sessions, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    >>> tracks = track_units(sessions)
    >>> tracks["tracks"].sizes["track"] <= tracks["units"].sizes["unit"]
    True
    """
    check_choice("preset", preset, PRESETS)
    check_choice("strictness", strictness, STRICTNESS)
    check_choice("motion_model", motion_model, MODELS)
    check_positive(motion_max_um=motion_max_um, distance_max_um=distance_max_um)
    check_share(probability_min=probability_min)
    if not isinstance(sessions, Iterable) or isinstance(sessions, (str, dict)):
        raise ParameterError(f"sessions are a {type(sessions).__name__}; give a list of one sorting or table for each")
    if isinstance(sessions, (xr.Dataset, xr.DataTree)):
        raise ParameterError("sessions are one session; give a list of one sorting or table of templates for each")
    # One session after the other: templates on all channels need far more memory than the footprints made of them.
    each = map(session_units, sessions)
    first = next(each, None)
    if first is None:
        raise ParameterError("there is no session; give one sorting or table of templates for each")
    n_read = count()
    on_axis = (on_axis_of(table, first.attrs, first.sizes["sample"]) for table in chain([first], each))
    tables = (table for table, _ in zip(on_axis, n_read, strict=False))
    kept = list(tables) if preset == "dant" else []
    units = gather(kept or tables)
    n_sessions = next(n_read)
    if names is not None and not isinstance(names, Iterable):
        raise ParameterError(f"names are {names!r}; give a list of one for each session")
    labels = [str(k) for k in range(n_sessions)] if names is None else [str(name) for name in names]
    if isinstance(names, str) or len(labels) != n_sessions or len(set(labels)) != len(labels):
        raise ParameterError(f"{len(labels)} names for {n_sessions} sessions; give each a name of its own")
    moved = estimate_session_motion(
        units, n_sessions=n_sessions, known=motion, model=motion_model, motion_max_um=motion_max_um
    )
    fixed = np.empty(0, np.int64)
    if preset == "dant":
        from .dant.labels import dant_tracks

        fixed = dant_tracks(kept, units, registered_depth(units, moved), moved["displacement_um"].values)
    return assemble(
        units,
        moved,
        labels,
        model=None,
        fixed=fixed,
        first_new=0,
        parameters={
            "preset": preset, "motion_model": motion_model, "motion_max_um": motion_max_um,
            "distance_max_um": distance_max_um, "probability_min": probability_min, "strictness": strictness,
        },
    )  # fmt: skip


def assemble(
    units: xr.Dataset,
    motion: xr.Dataset,
    names: Sequence[str],
    *,
    model: xr.Dataset | None,
    fixed: NDArray[np.int64],
    first_new: int,
    parameters: dict[str, Any],
    earlier: xr.DataTree | None = None,
) -> xr.DataTree:
    """Pairs of sessions from ``first_new`` on, and tracks, of units whose motion is known; ``fixed`` tracks stay."""
    from ..kernels.track.identity import PROBABILITY_MIN, UNRELATED_ODDS, exclusive, log_odds_of
    from ..kernels.track.linking import link_units
    from ..kernels.track.pairs import FEATURES

    session = np.asarray(units["session"])
    depth = registered_depth(units, motion)
    reach, known = parameters["distance_max_um"], motion["known"].values.any(axis=0)
    # Odds are those of the footprints that they were learned from: around each unit, if no motion was known.
    registered = bool(known.sum() > 1 if model is None else model.attrs.get("registered", 0))
    related = related_sessions(motion)
    blocks = session_blocks(units, depth, registered_x(units, motion), registered=registered)
    if model is None:
        model = learned_odds(blocks, session, known, related, distance_max_um=reach)
    model = model.reindex(feature=list(FEATURES), fill_value=0.0)
    odds = np.append(model["weight"].values, model["constant"].values)
    # Tracks of an earlier version lack the scale.
    scale = tuple(model["scale_um"].values.tolist()) if "scale_um" in model else None
    pairs = session_pairs(blocks, distance_max_um=reach, first=first_new, odds=odds, scale_um=scale)
    cross = session[pairs.first] != session[pairs.second]
    log_odds = log_odds_of(pairs.features.astype(np.float64), odds)
    if registered:
        # The odds are those of sessions that have neurons in common at depths that agree. Of others, where one is to
        # the other is not known, so that hardly any pair is one neuron.
        log_odds[~related[session[pairs.first], session[pairs.second]]] += np.log(UNRELATED_ODDS)
    parts = parts_of_one(pairs, log_odds, session)
    split = _split_table(pairs, log_odds, parts, earlier)
    neuron = _neurons(split["first"].values, split["second"].values, len(session))
    chance = np.zeros(len(cross))
    chance[cross] = exclusive(log_odds[cross], pairs.first[cross], pairs.second[cross], session, neuron)
    kept = np.flatnonzero(cross & (chance > PROBABILITY_MIN))
    kept = kept[np.lexsort((pairs.second[kept], pairs.first[kept], -chance[kept]))]
    track = link_units(
        pairs.first[kept], pairs.second[kept], chance[kept], session, neuron, parameters["probability_min"],
        STRICTNESS.index(parameters["strictness"]), fixed,
    )  # fmt: skip
    table = xr.Dataset(
        {
            "first": ("pair", pairs.first[kept]), "second": ("pair", pairs.second[kept]),
            "probability": ("pair", chance[kept]), "features": (("pair", "feature"), pairs.features[kept]),
        },
        coords={"feature": list(FEATURES)},
    )  # fmt: skip
    if earlier is not None:
        # Tracks of an earlier version lack the last features.
        before = earlier["pairs"].to_dataset().reindex(feature=list(FEATURES), fill_value=0.0)
        table = xr.concat([before, table], "pair")
    place = units["place"].values
    nodes = {
        "units": units[["session", "shank", "unit_id", "row", "amplitude", "n_spikes", "far_share"]].assign(
            track=("unit", track),
            x_registered=("unit", registered_x(units, motion), {"units": "um"}),
            y_registered=("unit", depth, {"units": "um"}),
            **{name: ("unit", place[:, axis], {"units": "um"}) for axis, name in enumerate("xyz")},
        ),
        "pairs": table,
        "splits": split,
        "tracks": of_tracks(track, session, table),
        "motion": motion,
        "model": model,
        "footprints": units[[*PRINTS, *(["peth"] if "peth" in units else [])]],
    }
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs |= {"sessions": list(names), "format": "xephys tracks 1", **units.attrs, **parameters}
    return tree


def _split_table(
    pairs: Pairs, log_odds: NDArray[np.float64], parts: NDArray[np.bool_], earlier: xr.DataTree | None
) -> xr.Dataset:
    """Units of one session that are probably parts of one neuron; pairs known from before come first."""
    from ..kernels.track.identity import PROBABILITY_MIN

    each = np.clip(1.0 / (1.0 + np.exp(-log_odds[parts])), PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)
    table = xr.Dataset(
        {
            "first": ("split", pairs.first[parts]),
            "second": ("split", pairs.second[parts]),
            "probability": ("split", each),
        }
    )
    return table if earlier is None else xr.concat([earlier["splits"].to_dataset(), table], "split")


def _neurons(first: NDArray[np.int64], second: NDArray[np.int64], n_units: int) -> NDArray[np.int64]:
    """Number of the neuron to which each unit, or part, belongs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    parts = coo_array((np.ones(len(first)), (first, second)), shape=(n_units, n_units))
    return np.asarray(connected_components(parts, directed=False)[1], np.int64)


def of_tracks(track: NDArray[np.int64], session: NDArray[np.int64], pairs: xr.Dataset) -> xr.Dataset:
    """The sessions of each track and the mean probability of its pairs; NaN for a unit without a partner."""
    ids, position = np.unique(track, return_inverse=True)
    first, second = pairs["first"].values, pairs["second"].values
    inside = track[first] == track[second]
    at = position[first[inside]]
    count = np.bincount(at, minlength=len(ids))
    total = np.bincount(at, pairs["probability"].values[inside], len(ids))
    starts, ends = np.full(len(ids), session.max() + 1), np.full(len(ids), -1)
    np.minimum.at(starts, position, session)
    np.maximum.at(ends, position, session)
    return xr.Dataset(
        {
            "n_units": ("track", np.bincount(position, minlength=len(ids))),
            "first_session": ("track", starts),
            "last_session": ("track", ends),
            "probability": ("track", np.divide(total, count, out=np.full(len(ids), np.nan), where=count > 0)),
        },
        coords={"track": ids},
    )
