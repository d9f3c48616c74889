"""Convert seconds to samples: the inverse of :func:`xephys.sample_times`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..recording.axes import SegmentAxes


def samples_at(axes: SegmentAxes, times_s: NDArray[np.float64], segment_index: Any = None) -> NDArray[np.int64]:
    """The sample nearest to each time, counted from the start of its segment.

    Parameters
    ----------
    axes
        Axes of the recording. If it has a time for each sample, these times are read.
    times_s
        Times in seconds: on the recording's clock, or from the start of the segment if there is none.
    segment_index
        Segment of each time; the first one if None.

    Raises
    ------
    ParameterError
        If a time is not finite.

    Examples
    --------
    >>> samples_at(SegmentAxes(sampling_frequency=1000.0, start_s=(2.0,)), np.array([2.0, 2.0104])).tolist()
    [0, 10]
    """
    if not np.isfinite(times_s).all():
        raise ParameterError(f"{(~np.isfinite(times_s)).sum()} of {len(times_s)} times are not finite; leave them out")
    n_segments = len(axes.first_sample)
    segment = np.zeros(len(times_s), np.int64) if segment_index is None else np.asarray(segment_index, np.int64)
    if len(segment) and (segment.min() < 0 or segment.max() >= n_segments):
        raise ParameterError(f"segment_index runs from {segment.min()} to {segment.max()} of {n_segments} segments")
    starts = np.zeros(n_segments) if axes.start_s is None else np.asarray(axes.start_s)
    samples = np.round((times_s - starts[segment]) * axes.sampling_frequency).astype(np.int64)
    for number, traces in enumerate(axes.segments):
        if axes.clock[number] == "times":
            here = segment == number
            clock = np.asarray(traces.coords["time"].values, np.float64)
            after = np.searchsorted(clock, times_s[here]).clip(1, max(len(clock) - 1, 1))
            nearer = times_s[here] - clock[after - 1] < clock[np.minimum(after, len(clock) - 1)] - times_s[here]
            samples[here] = axes.first_sample[number] + np.where(nearer, after - 1, after).clip(0, len(clock) - 1)
    return samples
