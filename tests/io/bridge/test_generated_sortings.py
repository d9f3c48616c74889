"""Random SpikeInterface sortings there and back: in memory, chained, aggregated, saved; starts and properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spikeinterface.core as si

from xephys import open_sorting, save_sorting
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface

from .generated import RATE, generated_sorting
from .test_si_sorting import assert_equal


@pytest.mark.parametrize("seed", range(200))
def test_there_and_back(seed: int) -> None:
    theirs = generated_sorting(seed)
    back = to_spikeinterface(from_spikeinterface(theirs))
    assert_equal(back, theirs)
    assert_equal(to_spikeinterface(from_spikeinterface(back)), theirs)


@pytest.mark.parametrize("seed", range(200, 240))
def test_chains_and_aggregated(seed: int) -> None:
    theirs = generated_sorting(seed)
    back = to_spikeinterface(from_spikeinterface(theirs))
    single = theirs.get_num_segments() == 1
    steps = [
        lambda s: s.select_units(s.unit_ids[::-2]),
        lambda s: s.remove_units(s.unit_ids[:1]),
        lambda s: s.rename_units([f"new {k}" for k in range(len(s.unit_ids))]),
        lambda s: s.frame_slice(20, 700) if single else s,
        lambda s: s.to_numpy_sorting(),
        lambda s: s.to_shared_memory_sorting(),
        lambda s: si.append_sortings([s, s]),
        lambda s: si.aggregate_units([s, s.rename_units([f"again {k}" for k in s.unit_ids])]),
    ]
    for step in steps:
        expected, ours = step(theirs), step(back)
        for one in (
            ours,
            to_spikeinterface(from_spikeinterface(expected)),
            to_spikeinterface(from_spikeinterface(ours)),
        ):
            assert one.unit_ids.tolist() == expected.unit_ids.tolist()
            ours_vector, vector = one.to_spike_vector(), expected.to_spike_vector()
            for name in ("sample_index", "unit_index", "segment_index"):
                np.testing.assert_array_equal(ours_vector[name], vector[name])
            assert set(one.get_property_keys()) == set(expected.get_property_keys())
            for key in expected.get_property_keys():
                assert str(one.get_property(key).tolist()) == str(expected.get_property(key).tolist()), key


@pytest.mark.parametrize("seed", range(240, 260))
def test_saved_by_spikeinterface(tmp_path: Path, seed: int) -> None:
    theirs = generated_sorting(seed)
    for key in [key for key in theirs.get_property_keys() if key in ("objects", "with/slash")]:
        theirs.delete_property(key)  # SpikeInterface's own formats lose it
    for loaded in (theirs.save(folder=tmp_path / "a"), theirs.save_to_zarr(folder=tmp_path / "b")):
        assert_equal(to_spikeinterface(from_spikeinterface(loaded)), loaded)


@pytest.mark.parametrize("seed", range(260, 280))
def test_saved_as_a_tree(tmp_path: Path, seed: int) -> None:
    theirs = generated_sorting(seed)
    for key in [key for key in theirs.get_property_keys() if key in ("objects", "big", "complex")]:
        theirs.delete_property(key)
    save_sorting(from_spikeinterface(theirs), tmp_path / "a.zarr")
    assert_equal(to_spikeinterface(open_sorting(tmp_path / "a.zarr")), theirs)


def test_a_registered_recording_gives_lengths_and_starts() -> None:
    theirs = generated_sorting(3)
    lengths = [1000 + 10 * k for k in range(theirs.get_num_segments())]
    traces = [np.zeros((n, 2), "i2") for n in lengths]
    recording = si.NumpyRecording(traces, sampling_frequency=RATE)
    for segment in recording.segments:
        segment._t_start = 5.0
    for segment in theirs.segments:
        segment._t_start = None
    theirs.register_recording(recording)
    tree = from_spikeinterface(theirs)
    assert np.atleast_1d(tree.attrs["n_samples"]).tolist() == lengths
    assert np.atleast_1d(tree.attrs["start_s"]).tolist() == [5.0] * len(lengths)


@pytest.mark.parametrize("format", ["zarr", "binary_folder"])
@pytest.mark.filterwarnings("ignore")
def test_an_analyzer_of_a_recording_in_memory_is_opened_without_traces(tmp_path: Path, format: str) -> None:
    """The analyzer does not hold the traces, as SpikeInterface warns when writing it; they can be given again."""
    from xephys.schema import make_recording

    rng = np.random.default_rng(0)
    places = {"x": np.zeros(2), "y": 20.0 * np.arange(2)}
    lazy = make_recording(
        rng.normal(0, 9, (9000, 2)).astype("f4"), sampling_frequency=9000.0, units="uV", coordinates=places
    )
    recording = to_spikeinterface(lazy)
    sorting = si.NumpySorting.from_samples_and_labels([np.arange(100, 8900, 80)], [np.arange(110) % 2], 9000.0)
    folder = tmp_path / ("a.zarr" if format == "zarr" else "a")
    with pytest.warns(UserWarning, match="recording link will be lost"):
        made = si.create_sorting_analyzer(sorting, recording, format=format, folder=folder, sparse=False)
    made.compute(["random_spikes", "templates"], progress_bar=False)
    opened = si.load_sorting_analyzer(folder)
    np.testing.assert_array_equal(
        opened.get_extension("templates").get_data(), made.get_extension("templates").get_data()
    )
    opened.set_temporary_recording(recording)
    np.testing.assert_array_equal(opened.recording.get_traces(), recording.get_traces())
