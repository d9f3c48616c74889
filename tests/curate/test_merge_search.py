"""The search for units to merge: scores and groups equal SpikeInterface's, and the log gives the reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spikeinterface.full as si
import xarray as xr
from spikeinterface.curation import compute_merge_unit_groups

import xephys
from tests.support.uncompiled import uncompiled
from xephys.curate.merge_search import find_merges, merge_automatically
from xephys.curate.merge_steps import PRESETS
from xephys.curate.rules import curation_log
from xephys.errors import ParameterError
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording

#: Parameters of steps for such a short recording, with our names and with SpikeInterface's.
SHORT = {"num_spikes": {"n_spikes_min": 20}, "presence_distance": {"distance_min_s": 5.0},
    "correlogram": {"difference_max": 0.6}}  # fmt: skip
THEIRS = {"num_spikes": {"min_spikes": 20}, "presence_distance": {"presence_distance_thresh": 5.0},
    "correlogram": {"corr_diff_thresh": 0.6}}  # fmt: skip
SCORES = {
    "unit_locations": ("distance_um", "unit_distances"),
    "template_similarity": ("template_difference", "templates_diff"),
    "correlogram": ("correlogram_difference", "correlogram_diff"),
    "presence_distance": ("presence_distance_s", "presence_distances"),
}


@pytest.fixture(scope="module")
def recording() -> xr.DataArray:
    return simulate_recording(duration_s=20.0, n_channels=16, n_units=4, seed=2)[0]


@pytest.fixture(scope="module")
def sorting(recording: xr.DataArray) -> xr.DataTree:
    """The truth with one unit divided at random and one divided in time."""
    tree = truth_sorting(*simulate_recording(duration_s=20.0, n_channels=16, n_units=4, seed=2))
    ids = tree["units"]["unit_id"].values.tolist()
    n = tree["units"]["num_spikes"].values
    by_chance = np.random.default_rng(0).integers(0, 2, n[0])
    tree = xephys.split_unit(tree, ids[0], labels=by_chance, new_ids=[20, 21])
    return xephys.split_unit(tree, ids[1], labels=np.arange(n[1]) * 2 // n[1], new_ids=[30, 31])


@pytest.fixture(scope="module")
def analyzer(sorting: xr.DataTree, recording: xr.DataArray) -> Any:
    analyzer = si.create_sorting_analyzer(
        xephys.to_spikeinterface(sorting),
        xephys.to_spikeinterface(recording),
        main_channel_indices=np.asarray(sorting["units"]["channel_index"].values),
        sparsity_kwargs={"method": "radius", "radius_um": 100.0},
        return_in_uV=True,
    )
    needed: dict[str, Any] = {
        "random_spikes": {"method": "all"}, "templates": {}, "noise_levels": {}, "spike_amplitudes": {},
        "spike_locations": {}, "unit_locations": {}, "correlograms": {}, "template_similarity": {"method": "l1"},
    }  # fmt: skip
    with uncompiled():
        analyzer.compute(needed, verbose=False, progress_bar=False)
    analyzer.compute("quality_metrics", metric_names=["snr"], progress_bar=False)
    return analyzer


@pytest.mark.parametrize("preset", list(PRESETS))
def test_groups_and_scores_equal_spikeinterfaces(
    sorting: xr.DataTree, recording: xr.DataArray, analyzer: Any, preset: str
) -> None:
    given = {name: SHORT[name] for name in PRESETS[preset] if name in SHORT}
    ours = find_merges(sorting, recording, preset, parameters=given, n_spikes_max=None)
    theirs, outs = compute_merge_unit_groups(analyzer, preset=preset, steps_params=THEIRS, extra_outputs=True)
    assert ours.groups and [set(group) for group in ours.groups] == [set(map(int, group)) for group in theirs]
    ids = sorting["units"]["unit_id"].values.tolist()
    first, second = ([ids.index(u) for u in ours.pairs[name].values.tolist()] for name in ("unit1", "unit2"))
    for step in set(PRESETS[preset]) & set(SCORES):
        name, other = SCORES[step]
        known = np.isfinite(ours.pairs[name].values)
        assert known.any()
        np.testing.assert_allclose(
            ours.pairs[name].values[known], outs[other][first, second][known], rtol=2e-3, atol=1e-3
        )
    if preset == "x_contaminations":
        share, p = outs["cross_contaminations"]
        known = np.isfinite(ours.pairs["cross_contamination_p"].values)
        np.testing.assert_allclose(
            ours.pairs["cross_contamination"].values[known], share[first, second][known], rtol=1e-6
        )
        np.testing.assert_allclose(
            ours.pairs["cross_contamination_p"].values[known], p[first, second][known], atol=1e-6
        )


def test_halves_of_a_unit_are_found_and_merged(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    found = find_merges(
        sorting,
        recording,
        "temporal_splits",
        parameters={name: SHORT[name] for name in ("num_spikes", "presence_distance")},
    )
    assert found.groups == ((30, 31),)
    rejected = set(found.pairs["rejected_by"].values.tolist())
    assert "" in rejected and {"unit_locations", "template_similarity", "presence_distance"} & rejected
    merged = merge_automatically(sorting, recording, ["temporal_splits", "slay"], parameters=None, steps=None)
    assert merged["units"].sizes["unit"] < sorting["units"].sizes["unit"]
    applied = found.apply(sorting)
    assert applied["units"].sizes["unit"] == sorting["units"].sizes["unit"] - 1
    entry = curation_log(applied)[-1]
    assert entry["merges"][0]["units"] == [30, 31] and entry["merges"][0]["pairs"][0]["presence_distance_s"] > 5
    assert curation_log(applied)[-2]["merged"] == [30, 31]


def test_only_merged_units_are_analyzed_again(
    sorting: xr.DataTree, recording: xr.DataArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xephys.analysis import run

    analyzed = xephys.analyze(sorting, recording, ["unit_locations", "spike_amplitudes"])
    merged = xephys.merge_units(analyzed, [30, 31], new_id=40)
    ids = merged["units"]["unit_id"].values.tolist()
    read: list[np.ndarray] = []
    real = run.read_spikes

    def watched(subject: Any, reading: Any) -> Any:
        read.append(np.unique(subject.unit_index[reading.wanted | reading.chosen]))
        return real(subject, reading)

    monkeypatch.setattr(run, "read_spikes", watched)
    again = xephys.analyze(merged, recording, ["unit_locations", "spike_amplitudes"])
    assert [units.tolist() for units in read] == [[ids.index(40)]]
    other = [k for k, unit in enumerate(ids) if unit != 40]
    before = analyzed["analysis/unit_locations"]["y"].values
    old = sorting["units"]["unit_id"].values.tolist()
    np.testing.assert_array_equal(
        again["analysis/unit_locations"]["y"].values[other], before[[old.index(ids[k]) for k in other]]
    )
    read.clear()
    divided = xephys.split_unit(again, 20, labels=np.arange(int(again["units"]["num_spikes"][ids.index(20)])) % 2)
    fresh = divided["units"]["unit_id"].values.tolist()
    xephys.analyze(divided, recording, ["unit_locations", "spike_amplitudes"])
    assert [{fresh[k] for k in units} for units in read] == [set(fresh) - set(ids)]
    relabeled = xephys.relabel_units(again, labels={40: "mua"})
    read.clear()
    xephys.analyze(relabeled, recording, ["unit_locations", "spike_amplitudes"])
    assert not read


def test_results_do_not_depend_on_chunks_and_names(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    given = {"num_spikes": {"n_spikes_min": 20}}
    one = find_merges(sorting, recording, "x_contaminations", parameters=given)
    other = find_merges(sorting, recording.chunk({"time": 7001}), "x_contaminations", parameters=given)
    xr.testing.assert_identical(one.pairs, other.pairs)
    names = {unit: f"u{unit}" for unit in sorting["units"]["unit_id"].values.tolist()}
    renamed = find_merges(
        xephys.relabel_units(sorting, unit_ids=names), recording, "x_contaminations", parameters=given
    )
    assert renamed.groups == tuple(tuple(names[unit] for unit in group) for group in one.groups)
    xr.testing.assert_identical(renamed.pairs.drop_vars(["unit1", "unit2"]), one.pairs.drop_vars(["unit1", "unit2"]))


def test_units_without_spikes_and_two_segments(recording: xr.DataArray) -> None:
    short = recording.isel(time=slice(0, 60_000))
    rng = np.random.default_rng(0)
    samples = [np.sort(rng.choice(59_000, 40, replace=False)) + 500 for _ in range(2)]
    tree = xephys.make_sorting(
        sample_index=np.concatenate(samples), segment_index=np.repeat([0, 1], 40), labels=rng.integers(0, 2, 80),
        recording=xephys.append_segments([short, short]), unit_ids=[0, 1, 2],
    )  # fmt: skip
    for preset in PRESETS:
        found = find_merges(tree, xephys.append_segments([short, short]), preset)
        assert not any(2 in group for group in found.groups)
        assert len(found.pairs["rejected_by"]) == 3
    none = find_merges(xephys.select_units(tree, []), xephys.append_segments([short, short]))
    assert none.groups == () and none.pairs.sizes["pair"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "slai"}, "preset is 'slai'.*did you mean 'slay'"),
        ({"steps": ["num_spike"]}, "did you mean 'num_spikes'"),
        ({"steps": ["num_spikes"], "parameters": {"num_spikes": {"spikes_min": 3}}}, "has no parameter 'spikes_min'"),
        ({"steps": ["num_spikes"], "parameters": {"snr": {}}}, "given for 'snr', which is not a step"),
        ({"steps": ["num_spikes"], "extensions": {"templates": {}}}, "which no step needs"),
        (
            {"steps": ["quality_score"], "parameters": {"quality_score": {"censored_ms": 2.0}}},
            "the first must be at least 0 and less than the second",
        ),
    ],
)
def test_bad_input_is_refused(
    sorting: xr.DataTree, recording: xr.DataArray, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        find_merges(sorting, recording, **change)
