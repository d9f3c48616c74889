"""The subject of an analysis: spikes segment by segment, units identified by content, and traces in microvolts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..errors import ParameterError, RecordingError
from ..per_channel import check_order, place_single_channel, positions_of
from ..preprocess.scale import to_uv
from ..recording.clock import check_same_rate, first_sample
from ..recording.segments import segments_of
from ..sorting import unit_ids_of, validate_sorting


@dataclass(frozen=True)
class Subject:
    """A sorting and the recording that its waveforms are read from.

    Attributes
    ----------
    sorting
        A valid sorting tree.
    segments
        The segments of the recording, in microvolts if their channels have gains.
    """

    sorting: xr.DataTree
    segments: tuple[xr.DataArray, ...]

    @classmethod
    def of(cls, sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree) -> Subject:
        """Check that sorting and recording belong together.

        Raises
        ------
        ParameterError
            If their rates or numbers of segments differ, or spikes lie outside the recording.
        RecordingError
            If the recording has the sorting's channels in another order.
        """
        validate_sorting(sorting)
        parts = segments_of(recording)
        for part in parts:
            schema.validate_recording(part)
        check_same_rate(parts[0], sorting)
        subject = cls(sorting, tuple(_scaled(part) for part in parts))
        _check_channels(parts[0], sorting)
        check_spikes_inside(sorting, parts)
        subject.segment_bounds  # noqa: B018 - refuses spikes that are out of order
        return subject

    @property
    def recording(self) -> xr.DataArray:
        """The first segment; its channels are those of all segments."""
        return self.segments[0]

    @property
    def sampling_frequency(self) -> float:
        return float(self.sorting.attrs["sampling_frequency"])

    @property
    def n_units(self) -> int:
        return len(unit_ids_of(self.sorting))

    @property
    def n_channels(self) -> int:
        return int(self.recording.sizes["channel"])

    @property
    def n_spikes(self) -> int:
        return len(self.sample_index)

    @cached_property
    def sample_index(self) -> NDArray[np.int64]:
        return np.asarray(self.sorting["spikes"]["sample_index"].values, np.int64)

    @cached_property
    def unit_index(self) -> NDArray[np.int64]:
        return np.asarray(self.sorting["spikes"]["unit_index"].values, np.int64)

    @cached_property
    def segment_index(self) -> NDArray[np.int64]:
        spikes = self.sorting["spikes"].dataset
        known = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(self.n_spikes)
        return np.asarray(known, np.int64)

    @cached_property
    def segment_bounds(self) -> NDArray[np.int64]:
        """Start of the spikes of each segment, and the end of the last; spikes are in order of segment and sample.

        Raises
        ------
        ParameterError
            If they are in another order.
        """
        key = self.segment_index * (1 << 48) + self.sample_index
        if np.any(np.diff(key) < 0):
            raise ParameterError(
                "the spikes are not in order of segment and sample; build the sorting by build_sorting"
            )
        return np.searchsorted(self.segment_index, np.arange(len(self.segments) + 1))

    @cached_property
    def first_samples(self) -> NDArray[np.int64]:
        """Number of the first sample of each segment of the recording."""
        return np.array([first_sample(part) for part in self.segments], np.int64)

    @cached_property
    def n_samples(self) -> NDArray[np.int64]:
        """Length of each segment."""
        return np.array([part.sizes["time"] for part in self.segments], np.int64)

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        return positions_of(self.recording, why="the analysis of units")

    @cached_property
    def unit_keys(self) -> NDArray[np.int64]:
        """A digest of each unit's spikes and channel.

        It does not depend on the unit's name or on other units.
        """
        from ..kernels.metrics.trains import split_trains

        joined = self.segment_index * (1 << 48) + self.sample_index
        trains = split_trains(joined, self.unit_index, n_units=self.n_units)
        columns = self.sorting["units"].dataset
        peak = columns["channel_index"].values if "channel_index" in columns else np.full(self.n_units, -1)
        keys = [content_key(np.append(train, channel)) for train, channel in zip(trains, peak, strict=True)]
        return np.array(keys, np.int64)


def content_key(values: NDArray[np.int64]) -> int:
    """64 bits of a digest of numbers.

    Examples
    --------
    >>> content_key(np.array([1, 2])) == content_key(np.array([1, 2])), content_key(np.array([1, 3])) == 0
    (True, False)
    """
    digest = hashlib.sha1(np.ascontiguousarray(values, np.int64).tobytes(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def check_spikes_inside(sorting: xr.DataTree, parts: Sequence[xr.DataArray]) -> None:
    """Check that the spikes of a valid sorting lie within the segments of a recording.

    Raises
    ------
    ParameterError
        If they do not.
    """
    spikes = sorting["spikes"].dataset
    samples = spikes["sample_index"].values
    segments = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(len(samples), np.int64)
    if len(segments) and int(segments.max()) >= len(parts):
        raise ParameterError(
            f"spikes lie in segments up to {segments.max()} and the recording has {len(parts)}, counted from 0; give "
            "all segments that were sorted"
        )
    for number, part in enumerate(parts):
        here, start = samples[segments == number], first_sample(part)
        if len(here) and not start <= here.min() <= here.max() < start + part.sizes["time"]:
            raise ParameterError(
                f"spikes of segment {number} lie at samples {here.min()} to {here.max()} and the recording has "
                f"{start} to {start + part.sizes['time'] - 1}; give the recording that was sorted"
            )


def _check_channels(recording: xr.DataArray, sorting: xr.DataTree) -> None:
    """Refuse a recording of other channels than the sorting's: units name channels by their position."""
    node = sorting.children.get("templates")
    if node is None or "channel" not in node.coords:
        return
    check_order(recording, node, what="the sorting")
    n, known = recording.sizes["channel"], node.sizes["channel"]
    if n != known:
        raise RecordingError(
            f"the recording has {n} channels and the sorting is of {known}; give the recording that was sorted, or "
            "those of its channels: select_channels(recording, sorting['templates'].channel.values)"
        )


def _scaled(recording: xr.DataArray) -> xr.DataArray:
    """The recording in microvolts, if its channels have a gain; a single channel has a position."""
    info = schema.validate_recording(recording)
    recording = place_single_channel(recording)
    return to_uv(recording) if info.units == "uV" or "gain_to_uv" in recording.coords else recording
