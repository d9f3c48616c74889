"""Recordings with times, without a start, and in memory: there and back, and slices of the returned recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spikeinterface.core as si
import spikeinterface.preprocessing as spre

from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.recording.segments import segments_of

RATE = 1000.0


def numpy_recording(seed: int = 0, *, n_segments: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    traces = [rng.integers(-100, 100, (600, 3)).astype("int16") for _ in range(n_segments)]
    return si.NumpyRecording(traces, sampling_frequency=RATE)


def with_times() -> Any:
    recording = numpy_recording()
    recording.set_times(5.0 + np.arange(600) / RATE * 1.001, with_warning=False)
    return recording


def test_slices_of_times() -> None:
    whole = with_times()
    for part in (
        whole.frame_slice(100, 300),
        whole.time_slice(5.1, 5.3),
        whole.frame_slice(100, 500).frame_slice(3, 90),
    ):
        lazy = from_spikeinterface(part)
        np.testing.assert_array_max_ulp(lazy.time.values, part.get_times(), maxulp=2)  # a range computes its times
        np.testing.assert_array_equal(lazy.values, part.get_traces())


def test_what_is_handed_back_can_be_sliced() -> None:
    whole = with_times()
    back = to_spikeinterface(from_spikeinterface(whole))
    np.testing.assert_array_equal(back.get_times(), whole.get_times())
    for a, b in ((0, 600), (10, 200), (599, 600)):
        np.testing.assert_array_equal(back.frame_slice(a, b).get_times(), whole.get_times()[a:b])
    np.testing.assert_array_equal(back.time_slice(5.1, 5.3).get_traces(), whole.time_slice(5.1, 5.3).get_traces())
    assert back.time_to_sample_index(5.2) == whole.time_to_sample_index(5.2)


@pytest.mark.parametrize("start", [None, 0.0, 12.5])
def test_an_unknown_start_stays_unknown(start: float | None) -> None:
    theirs = numpy_recording()
    theirs.segments[0]._t_start = start
    back = to_spikeinterface(from_spikeinterface(theirs))
    assert back.segments[0]._t_start == start
    part = to_spikeinterface(from_spikeinterface(theirs)[100:200])
    assert part.get_start_time(0) == pytest.approx((start or 0.0) + 0.1)


def in_memory() -> dict[str, Any]:
    one = numpy_recording()
    return {
        "plain": one,
        "slice": one.frame_slice(50, 400),
        "channels": one.select_channels([2, 0]),
        "concatenated": si.concatenate_recordings([one, numpy_recording(1)]),
        "appended": si.append_recordings([one, numpy_recording(1)]),
        "aggregated": si.aggregate_channels([one, numpy_recording(1)]),
        "referenced": spre.common_reference(one),
        "saved": one.save(format="memory", progress_bar=False),
        "segments": numpy_recording(2, n_segments=3),
    }


@pytest.mark.parametrize("name", list(in_memory()))
def test_recordings_in_memory(name: str) -> None:
    theirs = in_memory()[name]
    pieces = segments_of(from_spikeinterface(theirs, chunk_duration_s=0.07))
    assert len(pieces) == theirs.get_num_segments()
    for index, piece in enumerate(pieces):
        np.testing.assert_array_equal(piece.values, theirs.get_traces(segment_index=index))
    back = to_spikeinterface(from_spikeinterface(theirs))
    for index in range(theirs.get_num_segments()):
        np.testing.assert_array_equal(back.get_traces(segment_index=index), theirs.get_traces(segment_index=index))


def test_long_texts_are_not_taken_for_paths() -> None:
    recording = si.generate_recording(num_channels=4, durations=[1.0], seed=0)
    recording.annotate(notes="a/" * 1500)
    lazy = from_spikeinterface(spre.common_reference(to_spikeinterface(from_spikeinterface(recording))))
    np.testing.assert_allclose(lazy.values, spre.common_reference(recording).get_traces(), rtol=1e-5, atol=1e-4)
