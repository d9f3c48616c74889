"""One step of a curation: labels come before merges and are inherited, splits of one unit are applied together."""

import numpy as np
import pytest

import xephys
from xephys.curate.curation import read_curation
from xephys.curate.curation_steps import apply_step
from xephys.errors import ParameterError

TAGS = {"tags": {"label_options": ["bursting", "drifting"], "exclusive": False}}


def sorting():
    """Units 1, 2 and 3 with four spikes each."""
    return xephys.make_sorting(sample_index=10 * np.arange(12), labels=[1, 2, 3] * 4, sampling_frequency=1000.0)


def step(**fields):
    (one,) = read_curation({"format_version": "2", "unit_ids": [1, 2, 3], "label_definitions": {}, **fields})
    return one


def test_a_merged_unit_has_the_tags_of_its_members_and_a_name():
    labels = [{"unit_id": 1, "labels": {"tags": ["bursting"]}}, {"unit_id": 2, "labels": {"tags": ["drifting"]}}]
    one = step(label_definitions=TAGS, manual_labels=labels, merges=[{"unit_ids": [1, 2]}])
    tree, named = apply_step(sorting(), one)
    (name,) = (merge["new_unit_id"] for merge in named["merges"])
    units = tree["units"].to_dataset().swap_dims(unit="unit_id").sel(unit_id=name)
    assert bool(units["bursting"]) and bool(units["drifting"])
    assert one["merges"][0]["new_unit_id"] is None  # what was given is not changed


def test_two_splits_of_a_unit_keep_together_what_neither_separates():
    splits = [{"unit_id": 3, "mode": "labels", "labels": labels} for labels in ([0, 0, 1, 1], [0, 1, 1, 1])]
    tree, named = apply_step(sorting(), step(splits=splits))
    (one,) = named["splits"]
    assert np.array(one["labels"])[2] == np.array(one["labels"])[3]
    assert len(set(one["labels"])) == len(one["new_unit_ids"]) == 3
    assert tree["units"].sizes["unit"] == 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit_ids": [1, 2]}, "3 is not in it"),
        ({"unit_ids": [1, 2, 3, 9]}, "9 is not there"),
        ({"removed": [9]}, "removed names 9"),
        (
            {"splits": [{"unit_id": 3, "mode": "indices", "indices": [[0, 1], [1]]}]},
            "the split of unit 3 names a spike twice",
        ),
        ({"splits": [{"unit_id": 3, "mode": "indices", "indices": [[4]]}]}, "run to 4 and it has 4 spikes"),
    ],
)
def test_a_step_of_other_units_or_spikes_is_refused(fields, message):
    with pytest.raises(ParameterError, match=message):
        apply_step(sorting(), step(**fields))
