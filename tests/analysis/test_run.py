"""Everything in one pass: how often is read, what is reused, and independence of chunks and other units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.analysis import run as module
from xephys.analysis.run import analyze
from xephys.analysis.table import EXTENSIONS
from xephys.curate.units import relabel_units, select_units
from xephys.errors import ParameterError
from xephys.graph.build import plan_of
from xephys.recording.segments import tree_of
from xephys.sorting import build_sorting
from xephys.testing import rechunked

from .conftest import PARAMETERS

READ = ["noise_levels", "waveforms", "templates", "spike_amplitudes", "spike_locations", "unit_locations"]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The request of each pass over the recording."""
    asked: list[Any] = []

    def counted(subject: Any, reading: Any) -> Any:
        asked.append(reading)
        return original(subject, reading)

    original = module.read_spikes
    monkeypatch.setattr(module, "read_spikes", counted)
    monkeypatch.setattr("xephys.analysis.spikes.read_spikes", counted)
    monkeypatch.setattr("xephys.analysis.sparsity.read_spikes", counted)
    return asked


def same(one: xr.DataTree, other: xr.DataTree) -> None:
    assert {node.path for node in one.subtree} == {node.path for node in other.subtree}
    for node in one["analysis"].subtree:
        for name, variable in node.data_vars.items():
            np.testing.assert_array_equal(variable.values, other[node.path][name].values, err_msg=f"{node.path}/{name}")


def test_all_extensions_need_one_pass(sorting: xr.DataTree, recording: xr.DataArray, passes: list[Any]) -> None:
    analyze(sorting, recording, list(EXTENSIONS))
    assert len(passes) == 1


def test_scaling_by_templates_of_the_same_analysis_takes_a_second_pass(
    sorting: xr.DataTree, recording: xr.DataArray, passes: list[Any]
) -> None:
    analyze(sorting, recording, ["amplitude_scalings"], parameters={"amplitude_scalings": {"source": "analysis"}})
    assert len(passes) == 2


def test_known_results_are_not_computed_again(
    analyzed: xr.DataTree, recording: xr.DataArray, passes: list[Any]
) -> None:
    again = analyze(analyzed, recording, list(EXTENSIONS), n_spikes_max=None, parameters=PARAMETERS)
    assert not passes
    same(again, analyzed)


@pytest.mark.parametrize("chunk_samples", [11_111, 300_000])
def test_results_do_not_depend_on_chunks(
    sorting: xr.DataTree, recording: xr.DataArray, analyzed: xr.DataTree, chunk_samples: int
) -> None:
    other = rechunked(recording, chunk_samples)
    same(analyze(sorting, other, list(EXTENSIONS), n_spikes_max=None, parameters=PARAMETERS), analyzed)


def test_only_changed_units_are_read_again(
    analyzed: xr.DataTree, sorting: xr.DataTree, recording: xr.DataArray, passes: list[Any]
) -> None:
    """One unit loses half its spikes:

    the other units' results are kept, and all results equal those of a new analysis.
    """
    units, samples = sorting["spikes"]["unit_index"].values, sorting["spikes"]["sample_index"].values
    keep = (units != 2) | (samples % 2 == 0)

    def halved(tree: xr.DataTree) -> xr.DataTree:
        nodes = {
            node.path.strip("/"): node.to_dataset(inherit=False)
            for node in tree.subtree
            if node.path != "/" and node.has_data
        }
        nodes = {
            path: dataset.isel(spike=np.flatnonzero(keep)) if "spike" in dataset.dims else dataset
            for path, dataset in nodes.items()
        }
        nodes["units"] = nodes["units"].assign(num_spikes=("unit", np.bincount(units[keep]).astype(np.int64)))
        out = xr.DataTree.from_dict(nodes)
        out.attrs = dict(tree.attrs)
        return out

    names = [name for name in EXTENSIONS if name not in ("principal_components", "quality_metrics")]
    updated = analyze(halved(analyzed), recording, names, n_spikes_max=None, parameters=PARAMETERS)
    assert set(np.unique(units[keep][passes[0].wanted])) == {2}
    assert set(np.unique(units[keep][passes[0].chosen])) == {2}
    assert not passes[0].noise_tiles
    fresh = analyze(halved(sorting), recording, names, n_spikes_max=None, parameters=PARAMETERS)
    for name in names:
        # A scale is fitted together with overlapping spikes, which other units may have lost meanwhile.
        if name == "amplitude_scalings":
            continue
        for variable in fresh[f"analysis/{name}"].data_vars:
            left, right = (tree[f"analysis/{name}"][variable].values for tree in (updated, fresh))
            np.testing.assert_array_equal(left, right, err_msg=f"{name}/{variable}")


def test_renaming_and_reordering_units_reads_nothing(
    analyzed: xr.DataTree, recording: xr.DataArray, passes: list[Any]
) -> None:
    moved = relabel_units(select_units(analyzed, [3, 0, 4]), unit_ids={3: 30}, labels={0: "mua"})
    names = ["waveforms", "templates", "spike_amplitudes", "unit_locations", "correlograms", "template_similarity"]
    again = analyze(moved, recording, names, n_spikes_max=None, parameters={"templates": PARAMETERS["templates"]})
    assert not passes
    for name in ("templates", "unit_locations"):
        for variable in again[f"analysis/{name}"].data_vars:
            expected = analyzed[f"analysis/{name}"][variable].values[[3, 0, 4]]
            np.testing.assert_array_equal(again[f"analysis/{name}"][variable].values, expected)
    owners = again["spikes"]["unit_index"].values[again["analysis/waveforms"]["waveform_spike"].values]
    counts = again["units"]["num_spikes"].values
    np.testing.assert_array_equal(np.bincount(owners), counts)


def test_channels_and_templates_are_found_if_the_sorting_has_none(
    sorting: xr.DataTree, recording: xr.DataArray, analyzed: xr.DataTree
) -> None:
    bare = build_sorting(
        recording,
        spikes={name: sorting["spikes"][name].values for name in ("sample_index", "unit_index")},
        units={"label": sorting["units"]["label"].values},
    )
    found = analyze(bare, recording, ["spike_amplitudes"], n_spikes_max=None)
    peaks, known = (tree["analysis/sparsity"]["peak_channel"].values for tree in (found, analyzed))
    average = np.abs(analyzed["analysis/templates"]["average"].values).max(axis=1)
    largest = analyzed["analysis/templates"]["channel_index"].values[np.arange(5), average.argmax(axis=1)]
    np.testing.assert_array_equal(peaks, largest)
    agree = (peaks == known)[found["spikes"]["unit_index"].values]
    assert agree.mean() > 0.5
    left, right = (tree["analysis/spike_amplitudes"]["amplitude"].values for tree in (found, analyzed))
    np.testing.assert_array_equal(left[agree], right[agree])


def test_two_equal_segments_double_values_and_counts(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    """The same spikes in two segments: each value occurs twice, counts are doubled and averages stay."""
    spikes = {name: sorting["spikes"][name].values for name in ("sample_index", "unit_index")}
    n = len(spikes["sample_index"])
    units = {name: sorting["units"][name].values for name in ("label", "channel_index")}
    both = build_sorting(
        tree_of([recording, recording]),
        spikes={**{k: np.tile(v, 2) for k, v in spikes.items()}, "segment_index": np.repeat([0, 1], n)},
        units=units,
    )
    one = analyze(build_sorting(recording, spikes=spikes, units=units), recording, READ, n_spikes_max=None)
    two = analyze(both, tree_of([recording, recording]), READ, n_spikes_max=None)
    amplitude = one["analysis/spike_amplitudes"]["amplitude"].values
    np.testing.assert_array_equal(two["analysis/spike_amplitudes"]["amplitude"].values, np.tile(amplitude, 2))
    templates = two["analysis/templates"]
    np.testing.assert_array_equal(templates["num_averaged"], 2 * one["analysis/templates"]["num_averaged"])
    np.testing.assert_allclose(templates["average"], one["analysis/templates"]["average"], rtol=1e-6)


@pytest.mark.parametrize("n_spikes", [0, 1])
def test_units_with_no_or_one_spike(recording: xr.DataArray, n_spikes: int) -> None:
    sorting = build_sorting(
        recording,
        spikes={"sample_index": np.full(n_spikes, 3), "unit_index": np.zeros(n_spikes, int)},
        units={"label": ["good", "good"], "channel_index": [4, 5]},
    )
    found = analyze(sorting, recording, list(EXTENSIONS))
    assert found["analysis/templates"]["num_averaged"].values.tolist() == [n_spikes, 0]
    assert found["analysis/waveforms"].sizes["waveform"] == n_spikes
    assert np.isnan(found["analysis/unit_locations"]["x"].values[1])


def test_every_extension_works_on_one_channel() -> None:
    recording, truth = xephys.testing.simulate_recording(duration_s=2.0, n_channels=4, n_units=1, probe="tetrode")
    alone = recording.isel(channel=[0])
    sorting = build_sorting(
        alone,
        spikes={"sample_index": truth.spikes["sample_index"], "unit_index": truth.spikes["unit_index"]},
        units={"label": ["good"], "channel_index": [0]},
    )
    found = analyze(sorting, alone, list(EXTENSIONS))
    assert found["analysis/waveforms"].sizes["slot"] == 1


def test_a_recording_in_counts_is_analyzed_in_microvolts(recording: xr.DataArray, analyzed: xr.DataTree) -> None:
    assert plan_of(recording.data) is not None
    assert recording.attrs["units"] == "counts"
    assert analyzed["analysis/templates"].attrs["units"] == "uV"


def test_results_survive_saving_and_opening_the_sorting(analyzed: xr.DataTree, tmp_path: Any) -> None:
    xephys.save_sorting(analyzed, tmp_path / "sorting.zarr")
    same(xephys.open_sorting(tmp_path / "sorting.zarr"), analyzed)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"extensions": ["spike_amplitude"]}, "did you mean 'spike_amplitudes'"),
        ({"extensions": ["correlograms"], "parameters": {"correlograms": {"bins_ms": 1}}}, "no parameter 'bins_ms'"),
        ({"extensions": ["correlograms"], "parameters": {"isi_histograms": {}}}, "which is not computed"),
        ({"extensions": ["correlograms"], "parameters": {"correlograms": {"bin_ms": 0.01}}}, "as long as a sample"),
        ({"ms_after": 0.0}, "ms_after is 0.0"),
        ({"ms_before": -1.0}, "it must be at least 0"),
        ({"n_spikes_max": 0}, "n_spikes_max is 0"),
        (
            {"extensions": ["sparsity"], "parameters": {"sparsity": {"method": "near"}}},
            "method is 'near'; it must be one of",
        ),
    ],
)
def test_bad_input_is_refused_with_the_remedy(
    sorting: xr.DataTree, recording: xr.DataArray, keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        analyze(sorting, recording, **keywords)


def test_another_recording_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="give the recording that was sorted"):
        analyze(sorting, recording.isel(time=slice(0, 1000)))


def test_results_do_not_depend_on_the_order_of_the_spikes(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    rng = np.random.default_rng(0)
    spikes = {name: sorting["spikes"][name].values for name in ("sample_index", "unit_index")}
    order = rng.permutation(len(spikes["sample_index"]))
    units = {name: sorting["units"][name].values for name in ("label", "channel_index")}
    one, other = (
        analyze(build_sorting(recording, spikes=given, units=units), recording, [*READ, "quality_metrics"])
        for given in (spikes, {name: values[order] for name, values in spikes.items()})
    )
    for name in ("templates", "unit_locations", "quality_metrics"):
        xr.testing.assert_equal(one[f"analysis/{name}"].to_dataset(), other[f"analysis/{name}"].to_dataset())
