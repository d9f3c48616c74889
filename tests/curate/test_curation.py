"""SpikeInterface's curation JSON: applied here and there, it gives the same units."""

import json

import numpy as np
import pytest
from spikeinterface.curation import apply_curation as apply_theirs

import xephys
from xephys.errors import OutputError, ParameterError

from .trains import trains_of


def sorting(n_units=6, seed=0):
    rng = np.random.default_rng(seed)
    samples = np.sort(rng.choice(20_000, 300, replace=False))
    return xephys.make_sorting(
        sample_index=samples, labels=rng.integers(1, 1 + n_units, 300), sampling_frequency=1000.0
    )


DEFINITIONS = {
    "quality": {"label_options": ["good", "noise", "MUA"], "exclusive": True},
    "region": {"label_options": ["CA1", "CA3"], "exclusive": True},
    "tags": {"label_options": ["bursting", "drifting"], "exclusive": False},
}


def drawn(tree, seed):
    """A random curation: labels, a removal, a merge, and splits of two further units, one of them into three."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(tree["units"]["unit_id"].values).tolist()
    n = {unit: len(train) for unit, train in trains_of(tree).items()}
    rows = rng.permutation(n[ids[4]]).tolist()
    return {
        "format_version": "2",
        "unit_ids": sorted(ids),
        "label_definitions": DEFINITIONS,
        "manual_labels": [
            {"unit_id": ids[1], "labels": {"quality": ["good"], "tags": ["bursting"]}},
            {"unit_id": ids[2], "labels": {"quality": ["good" if seed % 2 else "MUA"], "region": ["CA1"]}},
            {"unit_id": ids[3], "labels": {"region": ["CA3"], "tags": ["bursting", "drifting"]}},
        ],
        "removed": ids[:1],
        "merges": [{"unit_ids": ids[1:3], "new_unit_id": 50}],
        "splits": [
            {"unit_id": ids[4], "mode": "indices", "indices": [rows[:5], rows[5:9]], "new_unit_ids": [60, 61, 62]},
            {
                "unit_id": ids[5], "mode": "labels", "labels": (np.arange(n[ids[5]]) % 2).tolist(),
                "new_unit_ids": [70, 71],
            },
        ],
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_units_equal_spikeinterfaces(seed):
    tree = sorting(seed=seed)
    curation = drawn(tree, seed)
    ours = trains_of(xephys.apply_curation(tree, curation))
    theirs = apply_theirs(xephys.to_spikeinterface(tree), curation)
    assert ours == {
        unit: theirs.get_unit_spike_train(unit, segment_index=0).tolist() for unit in theirs.unit_ids.tolist()
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_are_inherited(seed):
    tree = sorting(seed=seed)
    curation = drawn(tree, seed)
    units = xephys.apply_curation(tree, curation)["units"].to_dataset().to_dataframe().set_index("unit_id")
    assert units.loc[50, "label"] == ("good" if seed % 2 else "unsorted")  # exclusive, kept only if all members agree
    assert units.loc[50, "region"] == ""
    assert units.loc[50, "bursting"] and not units.loc[50, "drifting"]  # not exclusive, kept if any member has it
    third = curation["manual_labels"][2]["unit_id"]
    assert units.loc[third, "region"] == "CA3" and units.loc[third, "drifting"]


def test_units_without_a_given_name_get_a_new_one():
    tree = sorting()
    ids = tree["units"]["unit_id"].values.tolist()
    made = xephys.apply_curation(tree, {"format_version": "2", "unit_ids": ids, "merges": [[1, 2], [3, 4]]})
    assert sorted(trains_of(made)) == [5, 6, 7, 8]


def test_earlier_formats_and_lists_of_curations_are_read(tmp_path):
    tree = sorting(n_units=4)
    first = {"format_version": "1", "unit_ids": [1, 2, 3, 4], "merge_unit_groups": [[1, 2]], "removed_units": [4]}
    assert sorted(trains_of(xephys.apply_curation(tree, first))) == [3, 5]
    oldest = {"labelsByUnit": {"1": ["good"], "2": [], "3": ["bad"], "4": []}, "mergeGroups": [[1, 2]]}
    made = xephys.apply_curation(tree, oldest)
    assert made["units"].to_dataset().to_dataframe().set_index("unit_id")["bad"].to_dict() == {
        3: True, 4: False, 5: False
    }  # fmt: skip
    steps = {
        "curation_steps": [
            {"format_version": "2", "unit_ids": [1, 2, 3, 4], "merges": [{"unit_ids": [1, 2], "new_unit_id": 9}]},
            {"format_version": "2", "unit_ids": [3, 4, 9], "removed": [4]},
        ]
    }
    (tmp_path / "curation.json").write_text(json.dumps(steps))
    assert sorted(trains_of(xephys.apply_curation(tree, tmp_path / "curation.json"))) == [3, 9]


def test_written_curations_are_read_by_both(tmp_path):
    tree = sorting()
    curation = drawn(tree, 3)
    xephys.save_curation(curation, tmp_path / "curation.json")
    assert xephys.read_curation(tmp_path / "curation.json") == xephys.read_curation(curation)
    theirs = apply_theirs(xephys.to_spikeinterface(tree), json.loads((tmp_path / "curation.json").read_text()))
    assert set(theirs.unit_ids.tolist()) == set(trains_of(xephys.apply_curation(tree, curation)))


@pytest.mark.parametrize("content", [b"", b"\x00\x01samples", b'{"gain": 0.195}x', b"[1, 2]"])
def test_a_curation_replaces_a_curation_only(content, tmp_path):
    steps = {"unit_ids": [1, 2, 3], "removed": [3]}
    for _ in range(2):
        xephys.save_curation(steps, tmp_path / "curation.json")
    (tmp_path / "recording.dat").write_bytes(content)
    for taken in ("recording.dat", "."):
        with pytest.raises(OutputError, match="exists and is not a curation; choose another path"):
            xephys.save_curation(steps, tmp_path / taken)
    assert (tmp_path / "recording.dat").read_bytes() == content
    with pytest.raises(OutputError, match=r"cannot write .* choose a folder that can be written"):
        xephys.save_curation(steps, tmp_path / "no" / "folder.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": "3"}, "format_version is '3'; 0, 1, 2 are read"),
        ({"unit_ids": [1, 2]}, "is not in it"),
        ({"unit_ids": [1, 2, 3, 4, 5, 6, 99]}, "99 is not there"),
        ({"removed": [99]}, "removed names 99"),
        ({"merges": [{"unit_ids": [1]}]}, "it takes two units or more"),
        ({"merges": [{"unit_ids": [1, 2], "new_unit_id": 3}]}, "that of another unit"),
        ({"splits": [{"unit_id": 1, "mode": "indices", "indices": [[0, 10_000]]}]}, "indices of the split of unit 1"),
        ({"splits": [{"unit_id": 1, "mode": "indices", "indices": [[0], [0]]}]}, "names a spike twice"),
        ({"splits": [{"unit_id": 1, "mode": "labels"}]}, "give indices or labels"),
        ({"manual_labels": [{"unit_id": 1, "labels": {"depth": ["deep"]}}]}, "category 'depth'"),
    ],
)
def test_bad_input_is_refused(change, message):
    curation = {"format_version": "2", "unit_ids": [1, 2, 3, 4, 5, 6], **change}
    with pytest.raises(ParameterError, match=message):
        xephys.apply_curation(sorting(), curation)


def test_an_incomplete_file_is_refused(tmp_path):
    (tmp_path / "curation.json").write_text("{")
    with pytest.raises(ParameterError, match="is not whole JSON"):
        xephys.read_curation(tmp_path / "curation.json")
    with pytest.raises(ParameterError, match="a curation is a dict"):
        xephys.read_curation(7)
