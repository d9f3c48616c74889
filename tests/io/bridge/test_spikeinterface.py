from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.graph.build import count_tasks, extend, plan_of
from xephys.graph.plan import Stage
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.io.read.open import open_recording
from xephys.preprocess.filter import highpass_filter
from xephys.recording.segments import segments_of, tree_of
from xephys.schema import make_recording, wrap_like
from xephys.testing import simulate_recording

from ..conftest import assert_same_recording


def moving_sum(traces: np.ndarray, *, before: int, after: int, weights: np.ndarray) -> np.ndarray:
    """A stage with a halo and an array: weighted sum of neighbouring samples."""
    n = len(traces) - before - after
    return sum(weights[k] * traces[k : k + n].astype("float32") for k in range(before + after + 1))


def with_stage(recording: xr.DataArray) -> xr.DataArray:
    weights = np.array([0.25, 0.5, 0.25, 0.125], "float32")
    stage = Stage(moving_sum, dtype=np.dtype("float32"), arrays={"weights": weights}, before=2, after=1)
    data = extend(recording.data, stage, sampling_frequency=recording.attrs["sampling_frequency"])
    return wrap_like(recording, data, step="moving_sum")


@pytest.fixture
def from_file(recording: xr.DataArray, raw_file: Path) -> xr.DataArray:
    """The recording of everything, its samples in a file."""
    opened = open_recording(raw_file, sampling_frequency=1000.0, n_channels=5, chunk_duration_s=0.7)
    return recording.copy(data=opened.data)


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


def test_every_range_and_channel_subset(from_file: xr.DataArray) -> None:
    lazy = with_stage(from_file)
    expected = lazy.values
    bridged = to_spikeinterface(lazy)
    for start, stop in ((0, 10), (990, 1010), (2500, 5500), (6990, 7001), (7000, 99999), (30, 30)):
        got = bridged.get_traces(start_frame=start, end_frame=stop, channel_ids=["d", "a"])
        np.testing.assert_array_equal(got, expected[start:stop][:, [3, 0]])
        assert isinstance(got, np.ndarray)
        assert got.flags.c_contiguous
    np.testing.assert_array_equal(bridged.get_traces(), expected)
    shifted = to_spikeinterface(lazy[1234:4321])
    np.testing.assert_array_equal(shifted.get_traces(start_frame=100, end_frame=1500), expected[1334:2734])


def test_reads_only_what_is_asked(from_file: xr.DataArray, monkeypatch: pytest.MonkeyPatch) -> None:
    from xephys.graph.source import BinarySource

    read: list[tuple[int, int]] = []
    original = BinarySource.read

    def counting(self: BinarySource, start: int, stop: int) -> np.ndarray:
        read.append((start, stop))
        return original(self, start, stop)

    monkeypatch.setattr(BinarySource, "read", counting)
    to_spikeinterface(from_file).get_traces(start_frame=1500, end_frame=1600)
    assert read == [(1500, 1600)]
    read.clear()
    bridged = to_spikeinterface(with_stage(from_file))
    bridged.get_traces(start_frame=1500, end_frame=1600)
    bridged.get_traces(start_frame=1550, end_frame=1700)
    assert read == [(998, 2001)]


def test_json(tmp_path: Path, from_file: xr.DataArray) -> None:
    import spikeinterface.core as si

    lazy = highpass_filter(from_file, freq_min_hz=50.0)
    bridged = to_spikeinterface(tree_of([lazy, lazy[2000:3000]]))
    assert bridged.check_serializability("json")
    bridged.dump_to_json(tmp_path / "bridged.json")
    loaded = si.load(tmp_path / "bridged.json")
    np.testing.assert_array_equal(loaded.get_traces(segment_index=1), lazy[2000:3000].values)
    assert loaded.get_property("anything").tolist() == lazy.anything.values.tolist()
    assert loaded.get_start_time(1) == pytest.approx(14.5)
    segments = segments_of(open_recording(tmp_path / "bridged.json"))
    assert_same_recording(segments[0], lazy)
    first, own = plan_of(segments[0].data), plan_of(lazy.data)
    assert first is not None
    assert own is not None
    assert first.identity == own.identity


def test_a_stage_from_elsewhere_is_pickled_but_never_named_in_a_text(from_file: xr.DataArray) -> None:
    bridged = to_spikeinterface(with_stage(from_file))
    assert not bridged.check_serializability("json")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(bridged)).get_traces(), bridged.get_traces())


def test_a_reader_and_a_simulation_survive_a_text(data: Path, tmp_path: Path) -> None:
    """Samples behind a reader of SpikeInterface, and samples drawn as they are asked for."""
    import spikeinterface.core as si

    simulated, _ = simulate_recording(duration_s=1, n_channels=4, n_units=1, seed=0)
    part = simulated.isel(time=slice(0, 3000))
    for lazy in (open_recording(data / "intan/sampledata_v1_5_32ch.rhd"), part):
        bridged = to_spikeinterface(lazy)
        bridged.dump_to_json(tmp_path / "bridged.json")
        loaded = si.load(tmp_path / "bridged.json")
        np.testing.assert_array_equal(loaded.get_traces(end_frame=200), lazy[:200].values)
        first, own = plan_of(from_spikeinterface(loaded).data), plan_of(lazy.data)
        assert first is not None
        assert own is not None
        assert first.identity == own.identity


def test_memory_is_pickled_but_refuses_json(recording: xr.DataArray, samples: np.ndarray) -> None:
    bridged = to_spikeinterface(with_stage(recording))
    assert not bridged.check_serializability("json")
    assert bridged.check_serializability("pickle")
    again = pickle.loads(pickle.dumps(bridged))
    np.testing.assert_array_equal(again.get_traces(), with_stage(recording).values)


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


def test_channel_slices_stay_a_file(from_file: xr.DataArray, raw_file: Path, samples: np.ndarray) -> None:
    import spikeinterface.core as si

    from xephys.graph.source import BinarySource

    theirs = si.read_binary(raw_file, sampling_frequency=1000.0, dtype="int16", num_channels=5)
    lazy = from_spikeinterface(theirs.select_channels([3, 0]).select_channels([0]))
    plan = plan_of(lazy.data)
    assert plan is not None
    assert isinstance(plan.source, BinarySource)
    assert plan.source.channels == (0,)
    np.testing.assert_array_equal(lazy.values, samples[:, [0]])


def test_in_the_process_pool(from_file: xr.DataArray, tmp_path: Path) -> None:
    """Noise levels, saving and an analyzer with two processes give what one gives."""
    import spikeinterface.core as si

    bridged = to_spikeinterface(with_stage(from_file))
    pool = {"n_jobs": 2, "chunk_duration": "1s", "progress_bar": False, "pool_engine": "process"}
    alone = {"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False}
    slices = {"num_chunks_per_segment": 4, "chunk_duration": "500ms", "seed": 0}
    one = si.get_noise_levels(bridged, random_slices_kwargs=slices, force_recompute=True, **alone)
    two = si.get_noise_levels(bridged, random_slices_kwargs=slices, force_recompute=True, **pool)
    np.testing.assert_array_equal(one, two)
    saved = bridged.save(folder=tmp_path / "pool", **pool)
    np.testing.assert_array_equal(saved.get_traces(), bridged.get_traces())
    sorting = si.NumpySorting.from_samples_and_labels(
        [np.arange(100, 6900, 100)], [np.arange(68) % 3], sampling_frequency=1000.0
    )
    waveforms = []
    for jobs in (alone, pool):
        analyzer = si.create_sorting_analyzer(sorting, bridged, sparse=False, **jobs)
        analyzer.compute({"random_spikes": {"seed": 0}, "waveforms": {"ms_before": 5.0, "ms_after": 5.0}}, **jobs)
        waveforms.append(analyzer.get_extension("waveforms").data["waveforms"])
    np.testing.assert_array_equal(*waveforms)


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
