"""Random SpikeInterface recordings there and back: segments, starts, times, properties, probes, chains."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spikeinterface.core as si
import spikeinterface.preprocessing as spre
from probeinterface import generate_tetrode

from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.io.read.open import open_recording
from xephys.io.store.save import save_recording
from xephys.recording.segments import segments_of

from .generated import RATE, generated


def assert_equal(one: Any, two: Any, *, exact_times: bool = True) -> None:
    assert one.get_num_segments() == two.get_num_segments()
    assert one.channel_ids.tolist() == two.channel_ids.tolist()
    assert one.channel_ids.dtype.kind == two.channel_ids.dtype.kind
    assert one.get_dtype() == two.get_dtype()
    for index in range(two.get_num_segments()):
        np.testing.assert_array_equal(one.get_traces(segment_index=index), two.get_traces(segment_index=index))
        np.testing.assert_array_max_ulp(one.get_times(index), two.get_times(index), maxulp=2)
        assert one.has_time_vector(index) == two.has_time_vector(index)
        if exact_times:
            assert one.segments[index]._t_start == two.segments[index]._t_start
    assert set(one.get_property_keys()) == set(two.get_property_keys())
    for key in two.get_property_keys():
        assert str(one.get_property(key).tolist()) == str(two.get_property(key).tolist()), key
    assert one.has_probe() == two.has_probe()
    if two.has_probe():
        np.testing.assert_array_equal(one.get_channel_locations(), two.get_channel_locations())
        assert len(one.get_probegroup().probes) == len(two.get_probegroup().probes)
    for key in ("session", "days"):
        assert one.get_annotation(key) == two.get_annotation(key)


@pytest.mark.parametrize("seed", range(100))
def test_there_and_back(seed: int) -> None:
    theirs = generated(seed)
    back = to_spikeinterface(from_spikeinterface(theirs, chunk_duration_s=0.07))
    assert_equal(back, theirs)
    assert_equal(to_spikeinterface(from_spikeinterface(back)), theirs)


@pytest.mark.parametrize("seed", range(100, 160))
def test_slices_and_chains_of_the_returned_recording(seed: int) -> None:
    theirs = generated(seed)
    back = to_spikeinterface(from_spikeinterface(theirs))
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(theirs.channel_ids)[: max(1, theirs.get_num_channels() // 2)]
    steps = [
        lambda r: r.select_segments([0]).frame_slice(10, 40),
        lambda r: r.select_channels(chosen),
        lambda r: si.concatenate_recordings([r.select_segments([0]), r.select_segments([0])], ignore_times=True),
        lambda r: si.append_recordings([r, r]),
        lambda r: spre.common_reference(r) if r.get_dtype().kind != "u" else r,
    ]
    for step in steps:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected, ours = step(theirs), step(back)
        for one in (ours, to_spikeinterface(from_spikeinterface(expected))):
            for index in range(expected.get_num_segments()):
                np.testing.assert_array_equal(
                    one.get_traces(segment_index=index), expected.get_traces(segment_index=index)
                )
                np.testing.assert_array_max_ulp(one.get_times(index), expected.get_times(index), maxulp=2)


@pytest.mark.parametrize("seed", range(200, 220))
@pytest.mark.parametrize("format", ["zarr", "binary"])
def test_saved_and_opened(tmp_path: Path, seed: int, format: str) -> None:
    theirs = generated(seed)
    save_recording(from_spikeinterface(theirs), tmp_path / "saved", format=format)
    opened = open_recording(tmp_path / "saved")
    assert len(segments_of(opened)) == theirs.get_num_segments()
    assert_equal(to_spikeinterface(opened), theirs, exact_times=False)


def test_a_probe_without_connected_contacts() -> None:
    recording = si.NumpyRecording([np.zeros((30, 4), "int16")], sampling_frequency=RATE)
    probe = generate_tetrode()
    probe.set_device_channel_indices([-1] * 4)
    nothing = recording.select_channels_with_probe(probe)
    assert nothing.get_num_channels() == 0 or "x" not in from_spikeinterface(nothing).coords
