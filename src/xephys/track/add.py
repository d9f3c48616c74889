"""Add a session to known tracks: their numbers, and what was learned, stay the same."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..graph.run import single_threaded_blas
from .curate import log_of, with_log
from .motion import estimate_session_motion, extend_session_motion
from .pairs import gather, with_responses
from .track import assemble
from .units import on_axis_of, session_units

#: Settings of the first run that also apply to every later one.
PARAMETERS = ("preset", "motion_model", "motion_max_um", "distance_max_um", "probability_min", "strictness")


@single_threaded_blas()
def add_session(tracks: xr.DataTree, session: xr.DataTree | xr.Dataset, *, name: str | None = None) -> xr.DataTree:
    """Follow known tracks into one more session.

    Only pairs with units of the new session are compared, with the odds that were learned before. The displacement of
    the new session is estimated relative to the others, which stay fixed. A unit without a track begins a new one.
    Where there is only one other session, or none of them shares neurons with another, the odds and all displacements
    are learned with the new session.

    Parameters
    ----------
    tracks
        The result of :func:`xephys.track_units` or of this function.
    session
        A sorting or a table of templates; see :func:`xephys.session_units`.
    name
        Name of the session; its number if None.

    Returns
    -------
    xarray.DataTree
        As returned by :func:`xephys.track_units`.

    Raises
    ------
    ParameterError
        If the name is taken, or the kind of probe differs.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> sessions, truth = simulate_sessions(n_sessions=4, n_neurons=20, n_channels=64, seed=1)
    >>> before = track_units(sessions[:3])
    >>> after = add_session(before, sessions[3])
    >>> n = before["units"].sizes["unit"]
    >>> bool((after["units"]["track"][:n] == before["units"]["track"]).all()), after.attrs["sessions"]
    (True, ['0', '1', '2', '3'])
    """
    if not isinstance(tracks, xr.DataTree) or "footprints" not in tracks.children:
        raise TypeError(f"expected tracks (xarray.DataTree of track_units), got {type(tracks).__name__}")
    names = [str(label) for label in tracks.attrs["sessions"]]
    label = str(len(names)) if name is None else str(name)
    if label in names:
        raise ParameterError(f"the tracks have a session {label!r} already; give another name")
    known = _known_units(tracks)
    table = session_units(session)
    if not table.sizes["unit"]:
        raise ParameterError(f"session {label!r} has no unit; there is nothing to add")
    new = gather([on_axis_of(table, tracks.attrs, known.sizes["sample"])])
    if new.sizes["grid"] != known.sizes["grid"]:
        raise ParameterError(
            f"the footprints of the session have {new.sizes['grid']} places and the tracks {known.sizes['grid']}: the "
            "probe is of another kind (wide or narrow, one column or several); track such sessions on their own"
        )
    new["session"] = new["session"] + len(names)
    units = with_responses([known, new]).assign_attrs(known.attrs)
    motion, model = _extended(units, tracks, n_sessions=len(names) + 1)
    fixed: NDArray[np.int64] = np.asarray(tracks["units"]["track"], np.int64)
    after = assemble(
        units,
        motion,
        [*names, label],
        model=model,
        fixed=fixed,
        first_new=len(names),
        parameters={key: tracks.attrs[key] for key in PARAMETERS},
        earlier=tracks,
    )
    return with_log(after, log_of(tracks))


def _extended(units: xr.Dataset, tracks: xr.DataTree, *, n_sessions: int) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Motion with the last session, and the model; None if it has to be learned, as there was nothing to learn from."""
    motion, motion_max_um = tracks["motion"].to_dataset(), tracks.attrs["motion_max_um"]
    if int(motion["known"].any("shank").sum()) > 1:
        return extend_session_motion(units, motion, motion_max_um=motion_max_um), tracks["model"].to_dataset()
    every = estimate_session_motion(
        units, n_sessions=n_sessions, known=None, model=tracks.attrs["motion_model"], motion_max_um=motion_max_um
    )
    return every, None


def _known_units(tracks: xr.DataTree) -> xr.Dataset:
    """The table of units as it was before tracking added its columns."""
    table = tracks["units"].to_dataset()[["session", "shank", "unit_id", "row", "amplitude", "n_spikes", "far_share"]]
    attributes = {key: tracks.attrs[key] for key in ("sampling_frequency", "nbefore")}
    stored = tracks["footprints"].to_dataset()
    # Tracks of an earlier version lack them.
    none = {
        "surprise": ("unit", np.zeros(table.sizes["unit"])),
        "noise": (("unit", "grid"), np.zeros(stored["valid"].shape, np.float32)),
    }
    missing = {name: values for name, values in none.items() if name not in stored}
    return xr.merge([table, stored.assign(missing)]).assign_attrs(attributes)
