"""The bridge to SpikeInterface: nothing is lost there and back, and times, probes and microvolts are kept."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.labelled import assert_same_recording
from tests.support.staged import with_stage
from xephys.errors import RecordingError
from xephys.graph.build import count_tasks
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.io.read.open import open_recording
from xephys.recording.segments import tree_of
from xephys.schema import make_recording


def test_there_and_back_loses_nothing(recording: xr.DataArray, from_file: xr.DataArray) -> None:
    for one in (recording, from_file, with_stage(from_file), recording[500:6000, [4, 1, 2]]):
        back = from_spikeinterface(to_spikeinterface(one))
        assert_same_recording(back, one)


def test_spikeinterface_recording_there_and_back(tmp_path: Path) -> None:
    import spikeinterface.core as si

    theirs = si.generate_recording(num_channels=6, durations=[1.7, 0.9], seed=0)
    theirs.set_property("anything", np.array([None, {"a": 1}, "x", 3, [1], 2.5], object))
    theirs.set_property("matrix", np.arange(12).reshape(6, 2))
    theirs.set_property("x", np.arange(6) * 7)
    theirs.set_channel_gains(0.3)
    theirs.set_channel_offsets(-2.0)
    theirs.annotate(experimenter="A", nested={"b": [1, 2]})
    theirs.segments[0]._t_start, theirs.segments[1]._t_start = 0.5, 7.25
    for original in (theirs, theirs.save(folder=tmp_path / "saved", verbose=False, progress_bar=False)):
        if original is not theirs:
            original.set_property("anything", theirs.get_property("anything"))
        tree = from_spikeinterface(original)
        assert isinstance(tree, xr.DataTree)
        assert list(tree.children) == ["segment_0", "segment_1"]
        for back in (to_spikeinterface(tree), pickle.loads(pickle.dumps(to_spikeinterface(tree)))):
            assert back.get_num_segments() == 2
            for index in (0, 1):
                np.testing.assert_array_equal(
                    back.get_traces(segment_index=index), original.get_traces(segment_index=index)
                )
                assert back.get_start_time(index) == original.get_start_time(index)
            np.testing.assert_array_equal(
                back.get_traces(segment_index=0, return_in_uV=True),
                original.get_traces(segment_index=0, return_in_uV=True),
            )
            assert set(back.get_property_keys()) == set(original.get_property_keys())
            for key in original.get_property_keys():
                np.testing.assert_array_equal(back.get_property(key), original.get_property(key))
                assert back.get_property(key).dtype == original.get_property(key).dtype
            assert back._annotations == original._annotations
            assert back.get_probegroup().to_dict(array_as_list=True) == original.get_probegroup().to_dict(
                array_as_list=True
            )
            np.testing.assert_array_equal(back.channel_ids, original.channel_ids)


def test_microvolts_are_not_scaled_twice(recording: xr.DataArray) -> None:
    scaled = recording * 0.195
    scaled.attrs["units"] = "uV"
    bridged = to_spikeinterface(scaled)
    np.testing.assert_array_equal(bridged.get_traces(return_in_uV=True), scaled.values.astype("float32"))
    assert from_spikeinterface(bridged).attrs["units"] == "uV"


def test_times_of_every_sample(from_file: xr.DataArray, tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.9e-3, 1.1e-3, 7001))
    theirs = to_spikeinterface(from_file)
    theirs.set_times(times)
    lazy = from_spikeinterface(theirs)
    assert "time" not in lazy.xindexes
    assert lazy.time.chunks is not None
    np.testing.assert_array_equal(lazy.time.values, times)
    np.testing.assert_array_equal(to_spikeinterface(lazy).get_times(), times)
    np.testing.assert_array_equal(to_spikeinterface(lazy[100:200]).get_times(), times[100:200])


def test_probe_follows_the_channels(data: Path) -> None:
    recording = open_recording(data / "spikeglx/np_ultra")
    chosen = recording[:, [300, 5, 77]]
    bridged = to_spikeinterface(chosen)
    np.testing.assert_array_equal(bridged.get_channel_locations(), np.stack([chosen.x, chosen.y], axis=1))
    contacts = bridged.get_probegroup().to_numpy(complete=True)
    assert contacts["contact_ids"].tolist() == chosen.contact_id.values.tolist()
    moved = chosen.assign_coords(y=chosen.y + 10.0)
    np.testing.assert_array_equal(to_spikeinterface(moved).get_channel_locations()[:, 1], chosen.y.values + 10.0)


def test_preprocessed_by_spikeinterface_is_read_through_its_pickle(from_file: xr.DataArray) -> None:
    import spikeinterface.preprocessing as spre

    theirs = spre.common_reference(to_spikeinterface(from_file))
    lazy = from_spikeinterface(theirs, chunk_duration_s=0.9)
    assert count_tasks(lazy) == 8
    np.testing.assert_array_equal(lazy.values, theirs.get_traces())


def test_what_is_no_recording() -> None:
    with pytest.raises(TypeError, match=r"got builtins\.int"):
        from_spikeinterface(3)
    with pytest.raises(TypeError, match="got int"):
        to_spikeinterface(3)  # type: ignore[arg-type]
    one = make_recording(np.zeros((100, 2), "int16"), sampling_frequency=1000.0)
    two = make_recording(np.zeros((100, 3), "int16"), sampling_frequency=1000.0)
    with pytest.raises(RecordingError, match="segment 1 has channels"):
        to_spikeinterface(tree_of([one, two]))
    with pytest.raises(RecordingError, match="no node of the tree"):
        to_spikeinterface(xr.DataTree())
