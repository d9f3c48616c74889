"""Sortings and analyzers that SpikeInterface wrote, in each of its formats."""

import numpy as np
import pytest
import spikeinterface.core as si

import xephys
from tests.curate.trains import trains_of
from xephys.errors import RecordingError


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A recording on disk and its sorting, with two segments."""
    recording, sorting = si.generate_ground_truth_recording(durations=[3.0, 2.0], num_channels=8, num_units=4, seed=0)
    folder = tmp_path_factory.mktemp("theirs") / "recording"
    recording.save(folder=folder, progress_bar=False)
    return si.load(folder), sorting


def expected(sorting):
    return {
        unit: np.concatenate(
            [sorting.get_unit_spike_train(unit, segment_index=k) for k in range(sorting.get_num_segments())]
        ).tolist()
        for unit in sorting.unit_ids.tolist()
    }


@pytest.mark.parametrize("format", ["numpy_folder", "npz_folder", "zarr", "json"])
def test_sortings(theirs, format, tmp_path):
    _, sorting = theirs
    sorting.set_property("kind", np.array(["a", "b", "c", "d"]))
    path = tmp_path / f"sorting{'.zarr' if format == 'zarr' else '.json' if format == 'json' else ''}"
    if format == "json":
        saved = sorting.save(folder=tmp_path / "in", format="numpy_folder")
        saved.dump_to_json(path)
    else:
        sorting.save(folder=path, format=format)
    opened = xephys.open_sorting(path)
    assert trains_of(opened) == expected(sorting)
    assert opened["units"]["kind"].values.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("format", ["binary_folder", "zarr"])
def test_analyzers(theirs, format, tmp_path):
    recording, sorting = theirs
    path = tmp_path / ("analyzer.zarr" if format == "zarr" else "analyzer")
    analyzer = si.create_sorting_analyzer(sorting, recording, format=format, folder=path, sparse=False)
    analyzer.compute(["random_spikes", "noise_levels", "templates", "spike_amplitudes", "unit_locations"])
    analyzer.compute("quality_metrics", metric_names=["num_spikes", "snr", "firing_rate"])
    opened = xephys.open_sorting(path)
    assert trains_of(opened) == expected(sorting)
    extension = analyzer.get_extension("templates")
    np.testing.assert_allclose(opened["templates"]["templates"], extension.get_data(), rtol=1e-6)
    assert opened["templates"]["templates"].attrs["nbefore"] == extension.nbefore
    np.testing.assert_allclose(opened["templates"]["y"], recording.get_channel_locations()[:, 1])
    units = opened["units"].dataset
    metrics = analyzer.get_extension("quality_metrics").get_data()
    np.testing.assert_allclose(units["snr"], metrics["snr"].to_numpy(float))
    np.testing.assert_allclose(units["x"], analyzer.get_extension("unit_locations").get_data()[:, 0])
    amplitudes = analyzer.get_extension("spike_amplitudes").get_data()
    vector = sorting.to_spike_vector()
    order = np.lexsort((vector["sample_index"], vector["segment_index"]))
    np.testing.assert_allclose(opened["spikes"]["amplitude"], amplitudes[order], rtol=1e-6)
    assert opened.attrs["n_samples"] == [recording.get_num_samples(k) for k in range(2)]
    xephys.plot.plot_templates(opened)
    xephys.export_phy(opened, tmp_path / "phy")
    assert len(trains_of(xephys.open_sorting(tmp_path / "phy"))) == 4


def test_other_folders_are_refused_as_sortings(theirs, tmp_path):
    recording, _ = theirs
    recording.save(folder=tmp_path / "again", progress_bar=False)
    with pytest.raises(RecordingError, match="holds a BinaryFolderRecording, not a sorting"):
        xephys.open_sorting(tmp_path / "again")
