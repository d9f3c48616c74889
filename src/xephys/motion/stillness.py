"""Whether tissue moves enough for a sorter to follow it."""

from __future__ import annotations

import numpy as np
import xarray as xr

#: Tissue that stays within this for nine tenths of the time, at every depth, is still: templates hardly change.
STILL_UM = 3.0


def moves(motion: xr.Dataset) -> bool:
    """Whether the tissue moves by more than resting templates tolerate.

    Examples
    --------
    >>> from xephys.motion.displacement import make_motion
    >>> moves(make_motion([[0.0], [0.5], [-0.5], [0.0]], time_s=[0, 1, 2, 3], depth_um=[0]))
    False
    """
    low, high = np.quantile(motion["displacement_um"].values, [0.05, 0.95], axis=1)
    return bool((high - low).max(initial=0.0) > STILL_UM)
