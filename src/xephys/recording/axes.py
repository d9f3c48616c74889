"""The sample axes of a recording's segments and its channels: what a sorting needs to know of its recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..kernels.lib.records import row_blocks
from ..schema import has_regular_clock, validate_recording
from .clock import first_sample, sample_times, segment_start_s
from .fingerprint import recording_fingerprint
from .segments import segments_of

#: Channel coordinates that templates keep.
_CHANNEL_COORDINATES = ("x", "y", "z", "probe", "shank", "group", "contact_id")


@dataclass(frozen=True, kw_only=True)
class SegmentAxes:
    """Rate, lengths, first samples and clocks of the segments, and the channels.

    Attributes
    ----------
    sampling_frequency
        In hertz.
    n_samples
        Length of each segment; None if unknown.
    first_sample
        Number of the first sample of each segment that was sorted.
    start_s
        Time of sample 0 of each segment; None if there is no clock.
    clock
        ``"regular"``, or ``"times"`` if each sample has its own time.
    channels
        Identifiers (``channel``) and coordinates of the channels by name, one value per channel.
    fingerprint
        Fingerprint of the recording; empty if there is no recording.
    segments
        The recordings themselves, which are asked for times.
    """

    sampling_frequency: float
    n_samples: tuple[int, ...] | None = None
    first_sample: tuple[int, ...] = (0,)
    start_s: tuple[float, ...] | None = None
    clock: tuple[str, ...] = ("regular",)
    channels: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    segments: tuple[xr.DataArray, ...] = ()

    @classmethod
    def of(cls, recording: xr.DataArray | xr.DataTree) -> SegmentAxes:
        """The axes of a recording; only its description is read."""
        segments = segments_of(recording)
        first = segments[0]
        rates = [validate_recording(segment).sampling_frequency for segment in segments]
        starts = [segment_start_s(segment) for segment in segments]
        known = [name for name in _CHANNEL_COORDINATES if name in first.coords]
        return cls(
            sampling_frequency=rates[0],
            n_samples=tuple(segment.sizes["time"] for segment in segments),
            first_sample=tuple(first_sample(segment) for segment in segments),
            start_s=None if None in starts else tuple(start for start in starts if start is not None),
            clock=tuple("regular" if has_regular_clock(segment) else "times" for segment in segments),
            channels={name: first.coords[name].values for name in ("channel", *known)},
            fingerprint=recording_fingerprint(recording),
            segments=tuple(segments),
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """The axes as attributes of a sorting: a single value for one segment, a list for several."""
        columns: dict[str, tuple[Any, ...]] = {"first_sample": self.first_sample}
        if self.n_samples is not None:
            columns["n_samples"] = self.n_samples
        if self.start_s is not None:
            columns |= {"start_s": self.start_s, "clock": self.clock}
        return {name: values[0] if len(values) == 1 else list(values) for name, values in columns.items()}

    def times_s(self, segment_index: NDArray[np.int64], sample_index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Times on the recording's clock of samples that are sorted by segment."""
        if not self.segments:
            starts = np.zeros(len(self.first_sample)) if self.start_s is None else np.array(self.start_s)
            times = sample_index / self.sampling_frequency
            times += starts[segment_index]
            return np.asarray(times)
        borders = np.searchsorted(segment_index, np.arange(len(self.segments) + 1))
        parts = [sample_times(s, sample_index[borders[k] : borders[k + 1]]) for k, s in enumerate(self.segments)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def check_spikes(self, segment: NDArray[np.int64], sample: NDArray[np.int64]) -> None:
        """Check that every spike lies in one of the segments, from their samples and segments."""
        n, n_segments = len(sample), len(self.first_sample)
        if n and (segment.min() < 0 or segment.max() >= n_segments):
            raise ParameterError(
                f"spikes lie in segments {segment.min()} to {segment.max()}, and the recording has {n_segments} "
                "(counted from 0); give the recording of all segments (append_segments)"
            )
        firsts = np.asarray(self.first_sample, np.int64)
        stops = np.full(n_segments, np.iinfo(np.int64).max)
        if self.n_samples is not None:
            stops = firsts + np.asarray(self.n_samples, np.int64)
        outside = np.empty(n, np.bool_)
        for rows in row_blocks(n):
            here = segment[rows]
            outside[rows] = (sample[rows] < firsts[here]) | (sample[rows] >= stops[here])
        if outside.any():
            one = int(outside.argmax())
            first, stop = firsts[segment[one]], stops[segment[one]]
            total = "" if self.n_samples is None else f" of {stop}"
            raise ParameterError(
                f"{outside.sum()} spikes lie outside the recording, the first at sample {sample[one]}"
                f"{total}{f', which begin at {first}' if first else ''}; was this "
                "recording sorted? Samples count from the start of the segment"
            )
