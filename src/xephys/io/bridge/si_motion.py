"""Convert motion to and from SpikeInterface's ``Motion``: same sign, same axes, one object per shank."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ...errors import ParameterError
from ...motion.displacement import make_motion, shank_indices, validate_motion


def to_spikeinterface_motion(motion: xr.Dataset, *, shank: Any = None) -> Any:
    """Convert one shank of a motion to a ``spikeinterface.core.motion.Motion`` of one segment.

    SpikeInterface has no place for the uncertainty and the mask of unknown cells; they are left out.

    Parameters
    ----------
    motion
        From ``estimate_motion`` or ``make_motion``.
    shank
        Identifier of the shank; may be left out for a motion of one shank.

    Raises
    ------
    ParameterError
        If the shank is unknown, or not given where there are several.

    Examples
    --------
    >>> from xephys.motion.displacement import make_motion
    >>> motion = make_motion([[0.0, 0.0], [4.0, 2.0]], time_s=[0.5, 1.5], depth_um=[0, 400])
    >>> to_spikeinterface_motion(motion).displacement[0].tolist()
    [[0.0, 0.0], [4.0, 2.0]]
    """
    from spikeinterface.core.motion import Motion

    validate_motion(motion)
    values = motion["displacement_um"].values[int(shank_indices(motion, shank))]
    return Motion([values.copy()], [motion["time"].values.copy()], motion["depth"].values.copy(), direction="y")


def from_spikeinterface_motion(obj: Any, *, segment_index: int = 0, shank: Any = 0) -> xr.Dataset:
    """Convert a SpikeInterface ``Motion``; cells that are not finite become unknown and are carried over in time.

    Parameters
    ----------
    obj
        ``spikeinterface.core.motion.Motion`` along y.
    segment_index
        Index of the segment to convert.
    shank
        Identifier of the shank to which the motion belongs.

    Raises
    ------
    TypeError
        If it is another object.
    ParameterError
        If there is no such segment, the direction is not y, or some depth has no finite value.

    Examples
    --------
    >>> import numpy as np
    >>> from spikeinterface.core.motion import Motion
    >>> theirs = Motion(np.array([[0.0], [4.0]]), np.array([0.5, 1.5]), np.array([200.0]))
    >>> from_spikeinterface_motion(theirs).displacement_um.values.tolist()
    [[[0.0], [4.0]]]
    """
    from spikeinterface.core.motion import Motion

    if not isinstance(obj, Motion):
        raise TypeError(f"expected a SpikeInterface Motion, got {type(obj).__module__}.{type(obj).__name__}")
    if obj.direction != "y":
        raise ParameterError(f"this motion is along {obj.direction!r}; only motion along 'y' can be used")
    if not 0 <= segment_index < obj.num_segments:
        raise ParameterError(f"segment_index is {segment_index}; this motion has {obj.num_segments} segments")
    values = np.asarray(obj.displacement[segment_index], np.float64)
    times = np.asarray(obj.temporal_bins_s[segment_index], np.float64)
    known = np.isfinite(values)
    if not known.any(axis=0).all():
        raise ParameterError(
            f"{int((~known.any(axis=0)).sum())} depths of this motion hold no finite value; remove those depths"
        )
    filled = np.stack([np.interp(times, times[k], v[k]) for v, k in zip(values.T, known.T, strict=True)], axis=1)
    return make_motion(
        filled[None],
        time_s=times,
        depth_um=obj.spatial_bins_um,
        shank=[shank],
        known=known[None],
        method="spikeinterface",
    )
