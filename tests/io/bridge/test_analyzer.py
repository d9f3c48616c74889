"""A sorting with its analysis as SpikeInterface's analyzer, in each of its formats, and back."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.errors import OutputError, ParameterError
from xephys.io.bridge.analyzer import to_spikeinterface_analyzer
from xephys.io.bridge.extensions import EXTENSIONS
from xephys.testing import forbid_compute


@pytest.fixture(scope="module")
def analyzer():
    recording, sorting = analyzed_sorting()
    return to_spikeinterface_analyzer(sorting, recording)


def test_every_extension_is_made_without_reading_traces():
    recording, sorting = analyzed_sorting()
    with forbid_compute():
        made = to_spikeinterface_analyzer(sorting, recording)
    assert set(made.get_loaded_extension_names()) == set(EXTENSIONS)
    assert all(extension.run_info["run_completed"] for extension in made.extensions.values())


def test_their_accessors_return_our_values(analyzer):
    _, sorting = analyzed_sorting()
    results = sorting["analysis"]
    channels = results["sparsity"]["channel_index"].values
    templates = analyzer.get_extension("templates")
    waveforms = analyzer.get_extension("waveforms")
    components = analyzer.get_extension("principal_components")
    owners = sorting["spikes"]["unit_index"].values[results["waveforms"]["waveform_spike"].values]
    for unit, name in enumerate(analyzer.unit_ids):
        own = channels[unit][channels[unit] >= 0]
        assert analyzer.sparsity.unit_id_to_channel_indices[name].tolist() == own.tolist()
        cut = waveforms.get_waveforms_one_unit(name)
        np.testing.assert_array_equal(cut, results["waveforms"]["waveform"].values[owners == unit][:, :, : len(own)])
        np.testing.assert_allclose(templates.get_unit_template(name)[:, own], cut.mean(axis=0), rtol=0, atol=1e-3)
        projected, there = components.get_projections_one_unit(name, sparse=True)
        assert there.tolist() == own.tolist()
        np.testing.assert_array_equal(
            projected, results["principal_components"]["projection"].values[owners == unit][:, :, : len(own)]
        )
    by_unit = analyzer.get_extension("spike_amplitudes").get_data(outputs="by_unit")[0]
    amplitude = results["spike_amplitudes"]["amplitude"].values
    for unit, name in enumerate(analyzer.unit_ids):
        np.testing.assert_array_equal(by_unit[name], amplitude[sorting["spikes"]["unit_index"].values == unit])
    snr = analyzer.get_extension("quality_metrics").get_data()["snr"]
    np.testing.assert_array_equal(snr.loc[analyzer.unit_ids], results["quality_metrics"]["snr"].values)


def test_their_templates_and_amplitudes_equal_ours(analyzer):
    """Results that SpikeInterface computes from the same recording and waveforms equal those that were passed on."""
    recording, sorting = analyzed_sorting()
    fresh = to_spikeinterface_analyzer(sorting, recording)
    for name in ("templates", "spike_amplitudes", "correlograms", "isi_histograms", "unit_locations"):
        fresh.delete_extension(name)
    fresh.compute(["templates", "spike_amplitudes", "correlograms", "isi_histograms", "unit_locations"])
    for name, key in (
        ("templates", "average"), ("spike_amplitudes", "amplitudes"), ("correlograms", "ccgs"),
        ("correlograms", "bins"), ("isi_histograms", "isi_histograms"), ("isi_histograms", "bins"),
    ):  # fmt: skip
        ours, theirs = analyzer.extensions[name].data[key], fresh.extensions[name].data[key]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=0.02, err_msg=f"{name}/{key}")
    places = [one.extensions["unit_locations"].data["unit_locations"] for one in (analyzer, fresh)]
    np.testing.assert_allclose(places[0][:, :2], places[1][:, :2], atol=1.0)


@pytest.mark.parametrize("format", ["binary_folder", "zarr"])
def test_folders_are_opened_by_both(format, analyzer, tmp_path):
    import spikeinterface.core as si

    recording, sorting = analyzed_sorting()
    place = tmp_path / ("analyzer.zarr" if format == "zarr" else "analyzer")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SpikeInterface warns that a recording in memory is not stored
        to_spikeinterface_analyzer(sorting, recording, format=format, folder=place)
        loaded = si.load_sorting_analyzer(place)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert set(loaded.get_saved_extension_names()) == set(EXTENSIONS)
    for name, extension in analyzer.extensions.items():
        for key, values in extension.data.items():
            stored = loaded.get_extension(name).data[key]
            if isinstance(values, np.ndarray):
                np.testing.assert_array_equal(stored, values, err_msg=f"{name}/{key}")
            else:
                np.testing.assert_allclose(stored[values.columns].to_numpy(float), values.to_numpy(float), rtol=1e-12)
    back = xephys.open_sorting(place)
    assert_same_analysis(back, sorting)
    with pytest.raises(OutputError, match="exists"):
        to_spikeinterface_analyzer(sorting, recording, format=format, folder=place)


def assert_same_analysis(back: xr.DataTree, sorting: xr.DataTree) -> None:
    left_out = {"unit_key", "waveform_key", "segment", "sample_index", "num_averaged", "noise_std", "peak_shift", "lag",
                "loading", "mean", "variance", "neighborhood_key", "alpha"}  # fmt: skip
    for name in EXTENSIONS:
        before = sorting[f"analysis/{name}"].to_dataset(inherit=False)
        after = back[f"analysis/{name}"].to_dataset(inherit=False)
        kept = [key for key in before.data_vars if key not in left_out]
        assert kept, name
        for key in kept:
            assert after[key].dims == before[key].dims, f"{name}/{key}"
            np.testing.assert_allclose(after[key], before[key], rtol=1e-12, err_msg=f"{name}/{key}")
        for coordinate in set(before.coords) & {"bin", "lag"}:
            np.testing.assert_allclose(after[coordinate], before[coordinate], atol=1e-9)


def test_results_computed_elsewhere_are_not_reused_as_ours():
    recording, sorting = analyzed_sorting()
    back = xephys.from_spikeinterface(to_spikeinterface_analyzer(sorting, recording))
    spoilt = back.copy(deep=True)
    spoilt["analysis/unit_locations"]["x"].values[:] = 0
    again = xephys.analyze(spoilt, recording, ["unit_locations"], n_spikes_max=40)
    assert (again["analysis/unit_locations"]["x"].values != 0).all()


def test_two_segments_and_spikes_in_another_order_are_converted():
    recording, sorting = analyzed_segments()
    made = to_spikeinterface_analyzer(sorting, recording)
    assert made.get_num_segments() == 2
    back = xephys.from_spikeinterface(made)
    for name, key in (("spike_amplitudes", "amplitude"), ("waveforms", "waveform"), ("waveforms", "waveform_spike")):
        np.testing.assert_array_equal(back[f"analysis/{name}"][key], sorting[f"analysis/{name}"][key])


def test_what_cannot_be_converted_is_named(tmp_path):
    recording, sorting = analyzed_sorting()
    plain = xephys.make_sorting(sorting["spikes"].to_dataset()[["sample_index", "unit_index"]], recording=recording)
    with pytest.raises(ParameterError, match="analyzed templates"):
        to_spikeinterface_analyzer(plain, recording)
    merged = xephys.merge_units(sorting, sorting["units"]["unit_id"].values[:2].tolist())
    with pytest.raises(ParameterError, match="up to date"):
        to_spikeinterface_analyzer(merged, recording)
    with pytest.raises(ParameterError, match="a folder goes with"):
        to_spikeinterface_analyzer(sorting, recording, folder=tmp_path / "a")
    with pytest.raises(ParameterError, match=r"ending \.zarr"):
        to_spikeinterface_analyzer(sorting, recording, format="zarr", folder=tmp_path / "a")
    with pytest.raises(ParameterError, match="format"):
        to_spikeinterface_analyzer(sorting, recording, format="folder", folder=tmp_path / "a")


@pytest.fixture
def not_compiled(monkeypatch):
    """Two functions of theirs as plain Python: Numba would compile for fifteen seconds what runs for milliseconds."""
    from spikeinterface.metrics.quality import misc_metrics
    from spikeinterface.postprocessing import template_similarity

    counts = misc_metrics._get_synchrony_counts
    monkeypatch.setattr(misc_metrics, "_get_synchrony_counts", getattr(counts, "py_func", counts))
    matrix = template_similarity._compute_similarity_matrix_numpy
    monkeypatch.setattr(template_similarity, "_compute_similarity_matrix", matrix)


def test_their_selection_and_merge_of_units_work(analyzer, not_compiled):
    first, second = analyzer.unit_ids[:2]
    again = analyzer.select_units([first]).select_units([first])
    assert again.get_extension("template_metrics").get_data().index.tolist() == [first]
    merged = analyzer.merge_units([[first, second]])
    counts = analyzer.sorting.count_num_spikes_per_unit()
    kept = merged.sorting.count_num_spikes_per_unit()
    assert merged.get_num_units() == analyzer.get_num_units() - 1
    assert sum(kept.values()) == sum(counts.values())
    assert len(merged.get_extension("template_metrics").get_data()) == merged.get_num_units()
