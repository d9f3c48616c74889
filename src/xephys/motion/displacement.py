"""Displacement of the tissue as a small labelled array, and its value at any time and depth.

Displacement is positive where the tissue has moved along +y, away from the tip: tissue of registered depth ``r`` is
seen at ``y = r + displacement`` at that time, so ``r = y - displacement``. SpikeInterface's ``Motion`` has the same
sign. Motion has no absolute origin: each depth is registered to its median position over the recording.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError, RecordingError
from ..recording.geometry import shank_labels
from ..schema import MOTION_VARIABLES


def make_motion(
    displacement_um: ArrayLike,
    *,
    time_s: ArrayLike,
    depth_um: ArrayLike,
    shank: Any = None,
    uncertainty_um: ArrayLike | None = None,
    known: ArrayLike | None = None,
    method: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Label an array of displacements as a motion.

    Parameters
    ----------
    displacement_um
        ``(shank, time, depth)`` or, for one shank, ``(time, depth)``; µm, positive where the tissue moved along +y.
    time_s
        Ascending centers of the time bins on the recording's time axis, in seconds.
    depth_um
        Ascending depths (y), in µm; one depth for motion that is the same everywhere.
    shank
        Identifiers of the shanks, as in the recording's coordinate; 0, 1, … if None.
    uncertainty_um
        Standard deviation of each value; NaN if None.
    known
        False where no spikes determine the displacement, and its value is carried over from other times and depths.
    method, parameters
        Provenance, kept in the attributes.

    Returns
    -------
    Dataset with ``displacement_um``, ``uncertainty_um`` (float32) and ``known``, dims ``(shank, time, depth)``.

    Raises
    ------
    ParameterError
        If shapes disagree, an axis does not ascend, or a displacement is not finite.

    Examples
    --------
    >>> motion = make_motion([[0.0, 0.0], [4.0, 2.0]], time_s=[0.5, 1.5], depth_um=[0, 400])
    >>> dict(motion.sizes)
    {'shank': 1, 'time': 2, 'depth': 2}
    """
    values = np.asarray(displacement_um, np.float32)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ParameterError(f"displacement_um has shape {values.shape}; give (shank, time, depth) or (time, depth)")
    n_shanks, n_times, n_depths = values.shape
    shanks = np.arange(n_shanks) if shank is None else np.asarray(shank)
    times, depths = np.asarray(time_s, np.float64), np.asarray(depth_um, np.float64)
    for name, axis, n in (("shank", shanks, n_shanks), ("time_s", times, n_times), ("depth_um", depths, n_depths)):
        if axis.shape != (n,) or n == 0:
            raise ParameterError(f"{name} has shape {axis.shape} for {n} cells of displacement_um; give one per cell")
    dims = ("shank", "time", "depth")
    known_cells = (
        np.ones(values.shape, bool) if known is None else np.broadcast_to(np.asarray(known, bool), values.shape)
    )
    sd = np.full(values.shape, np.nan) if uncertainty_um is None else np.asarray(uncertainty_um)
    sd = np.broadcast_to(sd, values.shape).astype(np.float32)
    motion = xr.Dataset(
        {
            "displacement_um": (dims, values, {"units": "um"}),
            "uncertainty_um": (dims, sd, {"units": "um"}),
            "known": (dims, known_cells.copy()),
        },
        coords={
            "shank": shanks,
            "time": ("time", times, {"units": "s"}),
            "depth": ("depth", depths, {"units": "um"}),
        },
        attrs={"method": method, "parameters": json.dumps(dict(parameters or {}), sort_keys=True)},
    )
    return validate_motion(motion)


def validate_motion(motion: Any) -> xr.Dataset:
    """Check that an object is a motion.

    Raises
    ------
    TypeError
        If it is not a Dataset.
    ParameterError
        If a variable is missing or has other dims, an axis does not ascend, or a displacement is not finite.
    """
    if isinstance(motion, xr.DataTree):
        motion = motion.to_dataset()
    if not isinstance(motion, xr.Dataset):
        raise TypeError(
            f"expected a motion (xarray.Dataset), got {type(motion).__name__}; see estimate_motion, or "
            "from_spikeinterface_motion for SpikeInterface's"
        )
    for name, variable in MOTION_VARIABLES.items():
        found = motion.variables[name].dims if name in motion.variables else None
        if found != variable.dims:
            raise ParameterError(
                f"{name!r} of the motion has dims {found}, expected {variable.dims}; make it with make_motion"
            )
    for name in ("time", "depth"):
        axis = np.asarray(motion[name].values, np.float64)
        if not np.isfinite(axis).all() or np.any(np.diff(axis) <= 0):
            raise ParameterError(f"the {name}s of the motion do not ascend, or are not finite; sort the cells")
    bad = ~np.isfinite(motion["displacement_um"].values)
    if bad.any():
        raise ParameterError(
            f"{int(bad.sum())} of {bad.size} displacements of the motion are not finite; fill them and mark them "
            "in known"
        )
    return motion


def displacement_at(
    motion: xr.Dataset,
    *,
    time_s: ArrayLike,
    depth_um: ArrayLike,
    shank: Any = None,
    registered: bool = False,
) -> NDArray[np.float64]:
    """Displacement of the tissue at given times and depths, linear between the cells of a motion.

    Parameters
    ----------
    motion
        From :func:`estimate_motion` or :func:`make_motion`.
    time_s
        Times on the recording's time axis, in seconds.
    depth_um
        Depths (y) in µm, broadcast against ``time_s``. The outermost displacements apply beyond the outermost depths.
    shank
        Identifier of the shank, one for all or one per point; optional for a motion of one shank.
    registered
        False: ``depth_um`` is where something is seen at that time, like the ``y`` of a spike; subtract the result to
        get its registered depth. True: ``depth_um`` is a registered depth, like that of a template; add the result to
        get its position at that time.

    Returns
    -------
    Displacements in µm, float64, in the shape of the broadcast.

    Raises
    ------
    ParameterError
        If a time is outside the motion, a point is not finite, or a shank is unknown.

    Examples
    --------
    >>> motion = make_motion([[0.0, 0.0], [4.0, 2.0]], time_s=[0.5, 1.5], depth_um=[0, 400])
    >>> displacement_at(motion, time_s=1.0, depth_um=[0.0, 200.0, 900.0]).tolist()
    [2.0, 1.5, 1.0]
    """
    from ..kernels.motion import interpolate as kernel

    validate_motion(motion)
    times, depths, shanks = np.broadcast_arrays(
        np.asarray(time_s, np.float64), np.asarray(depth_um, np.float64), shank_indices(motion, shank)
    )
    if not (np.isfinite(times).all() and np.isfinite(depths).all()):
        raise ParameterError("some times or depths are not finite; leave those points out")
    check_inside(motion, times)
    found: NDArray[np.float64] = kernel.displacement_at(
        np.ascontiguousarray(motion["displacement_um"].values),
        np.ascontiguousarray(motion["time"].values, np.float64),
        np.ascontiguousarray(motion["depth"].values, np.float64),
        np.ascontiguousarray(shanks.ravel()),
        np.ascontiguousarray(times.ravel()),
        np.ascontiguousarray(depths.ravel()),
        registered,
    )
    return found.reshape(times.shape)


def shank_indices(motion: xr.Dataset, shank: Any) -> NDArray[np.int64]:
    """Positions of shank identifiers along the motion's dim ``shank``.

    Raises
    ------
    ParameterError
        If an identifier is unknown, or is left out although there are several shanks.
    """
    known = motion["shank"].values.astype(str)
    if shank is None:
        if len(known) > 1:
            raise ParameterError(f"the motion has {len(known)} shanks ({', '.join(known)}); say which with shank=")
        return np.zeros((), np.int64)
    wanted = np.asarray(shank).astype(str)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    index: NDArray[np.int64] = order[place].astype(np.int64)
    wrong = known[index] != wanted
    if np.any(wrong):
        name = np.atleast_1d(wanted)[np.atleast_1d(wrong)][0]
        raise ParameterError(f"shank '{name}' is not one of the motion's ({', '.join(known)}); it is of another probe")
    return index


def shanks_asked_for(recording: xr.DataArray, motion: xr.Dataset) -> NDArray[np.str_] | None:
    """The shank of each channel, as a motion of several is asked for it; None for a motion of one, valid everywhere.

    Raises
    ------
    RecordingError
        If the one shank of a motion has a name (other than 0, the default), and none of the recording's has it.
    """
    if not {"shank", "probe"} & set(recording.coords):
        return None
    labels = shank_labels(recording)
    if motion.sizes["shank"] > 1:
        return labels
    name = str(motion["shank"].values[0])
    if name != "0" and name not in labels:
        raise RecordingError(
            f"the motion is of shank {name}, and the recording has {', '.join(np.unique(labels))}: it is of another "
            "recording; estimate it on this one"
        )
    return None


def check_inside(motion: xr.Dataset, time_s: NDArray[np.float64]) -> None:
    """Check that times are within the bins of a motion.

    The motion is unknown beyond them, and guessing would shift the data.
    """
    if time_s.size == 0:
        return
    cells = motion["time"].values
    reach = float(np.median(np.diff(cells))) if len(cells) > 1 else np.inf
    first, last = float(time_s.min()), float(time_s.max())
    if first < cells[0] - reach or last > cells[-1] + reach:
        raise ParameterError(
            f"times {first:g} to {last:g} s lie outside the motion, which covers {cells[0] - reach / 2:g} to "
            f"{cells[-1] + reach / 2:g} s; estimate it on this very recording, on its own time axis"
        )
