"""The one sample axis: samples count from the start of their segment, also in a part of a recording.

A part of a recording knows where it begins. While it has a plan, the plan tells; after arithmetic, ``persist`` or
saving, its times do, together with the attribute ``segment_start_s``, the time of the segment's sample 0. Seconds are
always those of the recording's clock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError, RecordingError
from ..graph.build import plan_of, to_dask
from ..schema import SEGMENT_START, clock_of, has_regular_clock


def check_same_rate(recording: xr.DataArray, spikes: Any) -> None:
    """Check that the samples of a sorting are those of the recording; tables of spikes do not know their rate.

    Raises
    ------
    ParameterError
        If the sorting has another sampling rate, so that its samples are at other times in the recording.
    """
    given = spikes.attrs.get("sampling_frequency") if isinstance(spikes, xr.DataTree) else None
    rate = float(recording.attrs["sampling_frequency"])
    if given is not None and abs(rate / float(given) - 1) > 1e-6:
        raise ParameterError(
            f"the recording is sampled at {rate:g} Hz and the sorting at {float(given):g} Hz; give the recording that "
            "was sorted"
        )


def first_sample(recording: xr.DataArray) -> int:
    """Number of a recording's first sample, counted from the start of its segment.

    Raises
    ------
    RecordingError
        If it is a part of a recording with a time for each sample instead of a regular clock, and lost its source in
        arithmetic.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> part = recording.isel(time=slice(30_000, 45_000))
    >>> first_sample(part), first_sample(2 * part)
    (30000, 30000)
    """
    plan = plan_of(recording.data) if recording.chunks is not None else None
    return first_by_time(recording) if plan is None else plan.first_sample


def start_time_s(recording: xr.DataArray) -> float:
    """Time of the first sample on the recording's own clock; 0 if it has none."""
    if "time" not in recording.coords:
        return 0.0
    # Read from the index, so that it does not matter whether the coordinate has been chunked.
    clock = clock_of(recording)
    if clock is not None:
        return clock.start
    return float(np.asarray(recording.coords["time"].variable[:1].values)[0])


def first_by_time(recording: xr.DataArray) -> int:
    """Number of the first sample, derived from its time."""
    origin = recording.attrs.get(SEGMENT_START)
    if origin is None or "time" not in recording.coords:
        return 0
    rate = float(recording.attrs["sampling_frequency"])
    ahead = (start_time_s(recording) - float(origin)) * rate
    if round(ahead) > 0 and not has_regular_clock(recording):
        raise RecordingError(
            f"this part begins {ahead / rate:g} s after its segment, which has a time for each sample: its "
            "position was lost in arithmetic; save the result (save_recording) before taking a part of it. If this is "
            f"not a part of a segment, set recording.attrs[{SEGMENT_START!r}] = {start_time_s(recording):g}"
        )
    return max(0, round(ahead))


def segment_start_s(recording: xr.DataArray) -> float | None:
    """Time of the segment's sample 0 in seconds; None if the recording has no times."""
    if "time" not in recording.coords:
        return None
    if not has_regular_clock(recording) and SEGMENT_START in recording.attrs:
        return min(float(recording.attrs[SEGMENT_START]), start_time_s(recording))
    known = recording.attrs.get(SEGMENT_START)
    rate = float(recording.attrs["sampling_frequency"])
    start = start_time_s(recording) - first_sample(recording) / rate
    # The attribute is exact; the computed difference is rounded.
    return float(known) if known is not None and abs(float(known) - start) < 0.5 / rate else start


def sample_times(recording: xr.DataArray, sample_index: Any) -> NDArray[np.float64]:
    """Times of samples in seconds, on the recording's clock.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, or a part of such.
    sample_index
        Counted from the start of the segment, as in peaks, spikes and sortings.

    float64, one value per sample; seconds from the start of the segment if the recording has no times.

    Raises
    ------
    RecordingError
        If a sample lies outside a recording that has a time for each sample.
    ParameterError
        If a number is negative or not whole.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> sample_times(recording.isel(time=slice(30_000, 45_000)), [30_000, 33_000]).tolist()
    [1.0, 1.1]
    """
    given = np.asarray(sample_index)
    samples = given.astype(np.int64)
    if not np.array_equal(samples, given) or samples.min(initial=0) < 0:
        wrong = given[(samples != given) | (samples < 0)].ravel()[0]
        raise ParameterError(f"sample_index holds {wrong}; give whole numbers from 0, the start of the segment, on")
    if "time" in recording.coords and not has_regular_clock(recording):
        rows = samples - first_sample(recording)
        if len(rows) and (rows.min() < 0 or rows.max() >= recording.sizes["time"]):
            raise RecordingError(
                f"samples {samples.min()} to {samples.max()} do not lie in this recording of "
                f"{recording.sizes['time']} samples from {first_sample(recording)} on; give its own"
            )
        order = np.argsort(rows, kind="stable")
        times = np.empty(len(rows))
        times[order] = np.asarray(recording.coords["time"].variable[rows[order]].values, np.float64)
        return times
    start = segment_start_s(recording)
    times = np.asarray(samples / float(recording.attrs["sampling_frequency"]))
    times += 0.0 if start is None else start  # in place: for millions of spikes, one array instead of two
    return times


def on_segment_axis(recording: xr.DataArray) -> xr.DataArray:
    """A newly opened recording with samples numbered according to its times, since it may be a saved part."""
    plan = plan_of(recording.data)
    if plan is None:
        return recording
    origin = first_by_time(recording) - plan.start
    return recording if origin == plan.origin else recording.copy(data=to_dask(replace(plan, origin=origin)))
