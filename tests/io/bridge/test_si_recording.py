"""A recording as SpikeInterface sees it: any range, saved as text where possible, read in other processes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.support.labelled import assert_same_recording
from tests.support.staged import with_stage
from xephys.graph.build import plan_of
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.io.read.open import open_recording
from xephys.preprocess.filter import highpass_filter
from xephys.recording.segments import segments_of, tree_of
from xephys.testing import simulate_recording


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


def test_only_the_requested_samples_are_read(from_file: xr.DataArray, monkeypatch: pytest.MonkeyPatch) -> None:
    from xephys.graph.source import BinarySource

    read: list[tuple[int, int]] = []
    original = BinarySource.read

    def counting(self: BinarySource, start: int, stop: int, **options: Any) -> np.ndarray:
        read.append((start, stop))
        return original(self, start, stop, **options)

    monkeypatch.setattr(BinarySource, "read", counting)
    to_spikeinterface(from_file).get_traces(start_frame=1500, end_frame=1600)
    assert read == [(1500, 1600)]
    read.clear()
    bridged = to_spikeinterface(with_stage(from_file))
    bridged.get_traces(start_frame=1500, end_frame=1600)
    bridged.get_traces(start_frame=1550, end_frame=1700)
    assert read == [(998, 2001)]


def test_a_file_recording_survives_json(tmp_path: Path, from_file: xr.DataArray) -> None:
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


def test_a_reader_and_a_simulation_survive_json(data: Path, tmp_path: Path) -> None:
    """Samples behind a SpikeInterface reader, and samples that are simulated when they are read."""
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
    assert not bridged.check_serializability("pickle")  # so that no analyzer stores one
    again = pickle.loads(pickle.dumps(bridged))
    np.testing.assert_array_equal(again.get_traces(), with_stage(recording).values)


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


def test_processes_give_the_same_results(from_file: xr.DataArray, tmp_path: Path) -> None:
    """Noise levels, saved traces and an analyzer are the same with two processes as with one."""
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
