"""Samples of spikes, as given or from seconds: the inverse of :func:`xephys.sample_times`."""

from __future__ import annotations

from collections.abc import Mapping
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


def one_of(**given: Any) -> None:
    """Check that exactly one of several ways to give the spikes is used.

    Raises
    ------
    ParameterError
        If none or several are not None.
    """
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        said = f"{' and '.join(named)} are given" if named else "no spikes are given"
        *others, last = given
        raise ParameterError(f"{said}; give one of {', '.join(others)} and {last}")


def with_samples(
    columns: Mapping[str, Any], axes: SegmentAxes, *, sample_index: Any, times_s: Any, segment_index: Any
) -> dict[str, Any]:
    """Columns of spikes with ``sample_index`` and, if given, ``segment_index``, both as integers.

    Raises
    ------
    ParameterError
        If there are no samples, or a number that counts is not whole.
    """
    columns = dict(columns)
    if segment_index is not None:
        columns["segment_index"] = np.asarray(segment_index)
    if sample_index is not None:
        columns["sample_index"] = np.asarray(sample_index)
    if times_s is not None:
        columns["sample_index"] = samples_at(axes, _seconds(times_s), columns.get("segment_index"))
    columns = {name: _whole_numbers(name, values) for name, values in columns.items()}
    if "sample_index" not in columns:
        known = ", ".join(map(str, columns)) or "nothing"
        raise ParameterError(
            f"the spikes have no sample_index; they have {known}: give sample_index, or times_s for times in seconds"
        )
    return columns


def _seconds(times_s: Any) -> NDArray[np.float64]:
    values = np.asarray(times_s)
    if values.dtype.kind in "mM":
        unit = (
            "(times - start) / np.timedelta64(1, 's')" if values.dtype.kind == "M" else "times / np.timedelta64(1, 's')"
        )
        raise ParameterError(f"times_s holds {values.dtype} values; give seconds: {unit}")
    return values.astype(np.float64)


def _whole_numbers(name: str, values: Any) -> Any:
    """The column; one that counts samples or segments, as integers.

    Raises
    ------
    ParameterError
        If a number in it is not whole.
    """
    values = np.asarray(values)
    if name not in ("sample_index", "segment_index"):
        return values
    if values.dtype.kind not in "iufO":
        raise ParameterError(f"{name} holds {values.dtype} values; give whole numbers")
    if values.dtype.kind == "u" and values.max(initial=0) > np.iinfo(np.int64).max:
        raise ParameterError(f"{name} holds {values.max()}, more than any recording has; correct it")
    if values.dtype.kind in "iu":
        return values
    numbers = values.astype(np.float64)
    odd = np.flatnonzero(numbers != np.round(numbers))
    if len(odd):
        seconds = ", or times_s if these are seconds" if name == "sample_index" else ""
        raise ParameterError(f"{name} holds {numbers[odd[0]]:g}; give whole numbers{seconds}")
    return numbers.astype(np.int64)
