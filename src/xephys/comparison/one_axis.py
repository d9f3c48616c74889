"""Bring two sortings onto one sample axis and limit them to their common range.

A sorting of a part of a recording is compared with that part of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import RecordingError
from ..sorting import first_samples, segment_starts_s

if TYPE_CHECKING:
    from spikeinterface import BaseSorting


@dataclass(frozen=True)
class Axis:
    """Position of the samples of one segment of a sorting on its recording.

    Attributes
    ----------
    first
        Position, on the axis of the segment, of sample 0 of the sorting as SpikeInterface counts it.
    start_s
        Time of the segment's sample 0; None if unknown.
    n_samples
        Length of the sorted part; None if unknown.
    is_regular
        Whether the clock is regular, so that time differences can be converted to samples.
    """

    first: int
    start_s: float | None
    n_samples: int | None
    is_regular: bool


def axes_of(sorting: Any, converted: BaseSorting) -> list[Axis]:
    """The axis of each segment of a sorting, given as it came and as SpikeInterface's."""
    n_segments = converted.get_num_segments()
    if isinstance(sorting, xr.DataTree):
        lengths = np.atleast_1d(sorting.attrs.get("n_samples", [0] * n_segments))
        clocks = np.broadcast_to(sorting.attrs.get("clock", "regular"), n_segments)
        return [
            Axis(first, start, int(length) or None, str(clock) == "regular")
            for first, start, length, clock in zip(
                first_samples(sorting), segment_starts_s(sorting), lengths, clocks, strict=True
            )
        ]
    from ..io.bridge.si_sorting import start_of_si_segment

    axes = []
    for index in range(n_segments):
        known = int(converted.get_num_samples(segment_index=index)) if converted.has_recording() else None
        axes.append(Axis(0, start_of_si_segment(converted, index), known, True))
    return axes


def on_one_axis(tested: Any, truth: Any, found: BaseSorting, true: BaseSorting) -> tuple[BaseSorting, BaseSorting]:
    """Both sortings with samples on one axis, without spikes outside their common range.

    Raises
    ------
    RecordingError
        If the relation of the two axes is unknown, or they have no time in common.
    """
    rate = float(true.sampling_frequency)
    shifts, ranges = [], []
    for index, (ours, theirs) in enumerate(zip(axes_of(tested, found), axes_of(truth, true), strict=True)):
        shift = _shift(ours, theirs, rate, index)
        ends = [theirs.n_samples, None if ours.n_samples is None else ours.n_samples + shift]
        low, high = max(0, shift), min((end for end in ends if end is not None), default=np.iinfo(np.int64).max)
        if low >= high:
            raise RecordingError(
                f"the two sortings have no time in common in segment {index}: one begins {abs(shift) / rate:g} s after "
                "the other, on their clocks; compare sortings of one recording, or of parts that overlap"
            )
        shifts.append(shift)
        ranges.append((low, high))
    return _shifted_sorting(found, shifts, ranges), _shifted_sorting(true, [0] * len(shifts), ranges)


def _shift(ours: Axis, theirs: Axis, rate: float, index: int) -> int:
    """Offset from one sorting's samples to the other's, both counted from the start of the sorted part."""
    if ours.start_s is None or theirs.start_s is None:
        if ours.first == theirs.first:
            return 0
        raise RecordingError(
            f"one of the sortings is of a part that begins at sample {max(ours.first, theirs.first)} of segment "
            f"{index}, and the other does not say when its own sample 0 is; make it with its recording "
            "(build_sorting), or register that (sorting.register_recording)"
        )
    apart = (ours.start_s - theirs.start_s) * rate
    if round(apart) and not (ours.is_regular and theirs.is_regular):
        raise RecordingError(
            f"segment {index} has a time for each sample, and the two sortings count samples from different times "
            f"({ours.start_s:g} and {theirs.start_s:g} s); compare sortings of parts of one recording"
        )
    return round(apart) + ours.first - theirs.first


def _shifted_sorting(sorting: BaseSorting, shifts: list[int], ranges: list[tuple[int, int]]) -> BaseSorting:
    vector: NDArray[Any] = sorting.to_spike_vector()
    segment = vector["segment_index"]
    sample = vector["sample_index"] + np.asarray(shifts, np.int64)[segment]
    low, high = np.asarray(ranges, np.int64)[segment].T
    inside = (sample >= low) & (sample < high)
    if not any(shifts) and not low.any() and inside.all():
        return sorting
    from ..io.bridge.si_sorting import TreeSorting
    from ..io.store.encode import encode_array

    kept = np.array(vector)
    kept["sample_index"] = sample - np.asarray([low for low, _ in ranges], np.int64)[segment]
    return TreeSorting(
        spikes=encode_array(kept[inside]),
        sampling_frequency=float(sorting.sampling_frequency),
        unit_ids=encode_array(np.asarray(sorting.unit_ids)),
        num_segments=len(shifts),
        properties={},
    )
