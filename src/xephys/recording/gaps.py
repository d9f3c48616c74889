"""Gaps in the stored times of a recording, over which neighboring samples are not neighbors in time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from .. import schema
from ..errors import warn_user

#: Times that are further apart than this many samples have a gap between them.
_GAP_SAMPLES = 1.5
#: Number of times that are compared at once: those of hours need not be in memory twice.
_BLOCK_SAMPLES = 1 << 20


class Gap(NamedTuple):
    """Time of the last sample before a gap, the row of the first one after it, and how far apart they are."""

    start_s: float
    row: int
    duration_s: float


def first_gap(recording: xr.DataArray, sampling_frequency: float) -> Gap | None:
    """The first gap in the times of a recording; None if there is none, or its times are those of a regular clock.

    Examples
    --------
    >>> recording = xr.DataArray(np.zeros((4, 1)), dims=("time", "channel"), coords={"time": [0, 0.001, 0.5, 0.501]})
    >>> first_gap(recording, 1000.0)
    Gap(start_s=0.001, row=2, duration_s=0.499)
    """
    if "time" not in recording.coords or schema.has_regular_clock(recording):
        return None
    times = np.asarray(recording.coords["time"].values, np.float64)
    for start in range(0, len(times) - 1, _BLOCK_SAMPLES):
        steps = np.diff(times[start : start + _BLOCK_SAMPLES + 1])
        wide = steps * sampling_frequency > _GAP_SAMPLES
        if wide.any():
            at = int(np.argmax(wide))
            return Gap(float(times[start + at]), start + at + 1, float(steps[at]))
    return None


def warn_of_gap(recording: xr.DataArray, sampling_frequency: float) -> None:
    """Warn that a filter, which takes neighboring rows for neighbors in time, is about to run over a gap."""
    gap = first_gap(recording, sampling_frequency)
    if gap is not None:
        warn_user(
            f"the times have a gap of {gap.duration_s:g} s after {gap.start_s:g} s, and the filter runs over it as if "
            "there were none, which leaves an artifact; filter before samples are left out, or use segments: "
            f"append_segments([recording[:{gap.row}], recording[{gap.row}:]])"
        )
