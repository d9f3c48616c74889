"""Units that are selected, reordered and renamed keep their own spikes."""

import json

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, XephysWarning
from xephys.plot.motion.raster import plot_drift_raster
from xephys.plot.units.templates import plot_templates
from xephys.schema import make_recording
from xephys.sorting import validate_sorting

from ..support.sorting_trees import sorting_of


@pytest.fixture
def sorting():
    places = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    rec = make_recording(np.zeros((2000, 4), "i2"), sampling_frequency=1000.0, coordinates=places)
    return sorting_of(rec)  # units 7, 17, 27


def trains(tree):
    ids, spikes = tree["units"]["unit_id"].values, tree["spikes"].dataset
    return {
        unit: spikes["sample_index"].values[spikes["unit_index"].values == k].tolist() for k, unit in enumerate(ids)
    }


@pytest.mark.parametrize("chosen", [[7, 17, 27], [27, 7], [17], [27, 17, 7], []])
def test_selected_units_keep_their_own_spikes_columns_and_templates(sorting, chosen):
    few = xephys.select_units(sorting, chosen)
    assert trains(few) == {unit: trains(sorting)[unit] for unit in chosen}
    for k, unit in enumerate(chosen):
        old = [7, 17, 27].index(unit)
        assert few["units"]["snr"].values[k] == sorting["units"]["snr"].values[old]
        np.testing.assert_array_equal(few["templates"]["templates"].values[k], sorting["templates"]["templates"][old])
    theirs = xephys.to_spikeinterface(few)
    for unit in chosen:
        assert theirs.get_unit_spike_train(unit).tolist() == trains(sorting)[unit]
    assert json.loads(few.attrs["log"])[-1]["removed"] == sorted({7, 17, 27} - set(chosen))


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.isel(unit=[2, 1, 0]),
        lambda tree: tree.isel(unit=[0, 1]),
        lambda tree: tree.isel(unit=slice(1, None)),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        validate_sorting,
        xephys.to_spikeinterface,
        lambda tree: xephys.compare(tree, tree),
        plot_drift_raster,
        plot_templates,
    ],
)
def test_a_tree_indexed_by_hand_is_refused_with_the_remedy(sorting, change, use):
    with pytest.raises(ParameterError, match="select_units"):
        use(change(sorting))


def test_it_is_refused_from_disk_too(sorting, tmp_path):
    with pytest.raises(ParameterError, match="select_units"):
        xephys.save_sorting(sorting.isel(unit=[1, 0, 2]), tmp_path / "a.zarr")
    with pytest.raises(ParameterError, match="select_units"):
        xephys.export_phy(sorting.isel(unit=[1, 0, 2]), tmp_path / "phy")
    xephys.save_sorting(xephys.select_units(sorting, [27, 17]), tmp_path / "b.zarr")
    again = xephys.open_sorting(tmp_path / "b.zarr")
    assert trains(again) == {unit: trains(sorting)[unit] for unit in (27, 17)}


def test_new_labels_and_names(sorting):
    changed = xephys.relabel_units(sorting, labels={17: "noise"}, unit_ids={7: 70})
    assert changed["units"]["label"].values.tolist() == ["good", "noise", "noise"]
    assert trains(changed) == {70: trains(sorting)[7], 17: trains(sorting)[17], 27: trains(sorting)[27]}
    entry = json.loads(changed.attrs["log"])[-1]
    assert entry == {"step": "relabel_units", "labels": {"17": "mua"}, "unit_ids": {"70": "7"}}
    named = xephys.relabel_units(sorting, unit_ids={7: "a", 17: "b", 27: "c"})
    assert trains(xephys.select_units(named, ["c", "a"])) == {"c": trains(sorting)[27], "a": trains(sorting)[7]}


def test_bad_input_is_refused(sorting):
    with pytest.raises(ParameterError, match="there is no unit 1; the 3 units are 7, 17, 27"):
        xephys.select_units(sorting, [7, 1])
    with pytest.raises(ParameterError, match="2 units are given, 1 different"):
        xephys.select_units(sorting, [7, 7])
    with pytest.raises(ParameterError, match="a name that another has"):
        xephys.relabel_units(sorting, unit_ids={7: 17})


def test_noise_levels_of_another_unit_are_refused():
    rng = np.random.default_rng(0)
    rec = make_recording(
        rng.normal(0, 10, (30_000, 4)).astype("f4"), sampling_frequency=30_000.0,
        coordinates={"gain_to_uv": np.full(4, 0.2), "x": np.zeros(4), "y": 20.0 * np.arange(4)},
    )  # fmt: skip
    levels = xephys.estimate_noise_levels(rec)
    for step in (xephys.detect_peaks, xephys.blank_common_artifacts, xephys.blank_noisy_stretches):
        with pytest.raises(xephys.RecordingError, match="levels are in counts and the traces in uV"):
            step(xephys.to_uv(rec), noise_levels=levels)
        step(rec, noise_levels=levels)


def test_a_label_that_is_nearly_a_usual_one_is_given_with_a_warning(sorting):
    with pytest.warns(XephysWarning, match=r"'goood' is no usual label, .*did you mean 'good'\?"):
        changed = xephys.relabel_units(sorting, labels={17: "goood"})
    assert changed["units"]["label"].values[1] == "goood"


@pytest.mark.parametrize("label", ["good", "unsorted", "non_soma", "interneuron", "putative axon"])
def test_other_words_are_labels_without_a_warning(sorting, recwarn, label):
    xephys.relabel_units(sorting, labels={17: label})
    assert not [one for one in recwarn if issubclass(one.category, XephysWarning)]
