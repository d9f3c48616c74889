"""Look at a recording before it is sorted: flat and saturated channels, and samples that are no numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import RecordingError
from ...graph.excerpts import draw_excerpts
from ...recording.clock import first_sample
from ...recording.stages import recording_plan
from ..classified import NoGoodChannelsError, SaturatedSignalError

#: Stretches that are read, and their length.
N_STRETCHES, STRETCH_S = 10, 0.2
#: A channel is saturated if this share of its samples is its largest or smallest value; noise touches each a few times.
RAIL_SHARE = 0.1
#: A recording is unusable if this share of its live channels is saturated.
SATURATED_SHARE = 0.5


def check_signal(recording: xr.DataArray, *, sorter: str) -> None:
    """Refuse a recording that no sorter can use. Computes: two seconds in ten stretches are read.

    Raises
    ------
    NoGoodChannelsError
        If every channel is constant.
    SaturatedSignalError
        If more than half of the channels stay at the ends of their range.
    """
    excerpts = draw_excerpts(recording_plan(recording), n_slices=N_STRETCHES, duration_s=STRETCH_S, seed=0)
    flat, railed = judge_channels(np.concatenate([np.asarray(part) for part in excerpts]))
    n = len(flat)
    if flat.all():
        raise NoGoodChannelsError(
            f"all {n} channels are constant; was the amplifier connected?", sorter=sorter, total_channels=n,
            bad_channels=n,
        )  # fmt: skip
    n_railed = int(railed.sum())
    if n_railed > SATURATED_SHARE * (n - int(flat.sum())):
        raise SaturatedSignalError(
            f"{n_railed} of {n} channels stay at the ends of their range in more than {RAIL_SHARE:.0%} of the samples; "
            "lower the gain of the amplifier",
            channels_saturated=n_railed,
            total_channels=n,
        )


def check_finite(recording: xr.DataArray) -> None:
    """Refuse floating-point samples that are NaN or infinite. Computes: all samples are read, if they are not integers.

    In a joint sort they would end that of all recordings.

    Raises
    ------
    RecordingError
        If there are any; it names the first one.
    """
    if recording.dtype.kind != "f":
        return
    finite = np.isfinite(recording)
    if not bool(finite.all()):
        row = int(finite.all("channel").argmin("time"))
        raise RecordingError(
            f"sample {first_sample(recording) + row} is NaN or infinite on {int((~finite[row]).sum())} channels; "
            "repair the recording (fillna, interpolate) or sort the parts without it"
        )


def judge_channels(traces: NDArray[np.generic]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which channels of ``(sample, channel)`` are constant, and which of the others are saturated.

    Examples
    --------
    >>> flat, railed = judge_channels(np.array([[0, -5, 1], [0, 5, 2], [0, 5, 9]]))
    >>> flat.tolist(), railed.tolist()
    ([True, False, False], [False, True, True])
    """
    low, high = traces.min(axis=0), traces.max(axis=0)
    flat = low == high
    share = ((traces == low) | (traces == high)).mean(axis=0)
    return flat, ~flat & (share > RAIL_SHARE)
