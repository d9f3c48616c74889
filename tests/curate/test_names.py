"""Names of units: their positions, and new names."""

import numpy as np
import pytest

import xephys
from xephys.curate.names import check_new_ids, unit_positions, unused_ids
from xephys.errors import ParameterError

from .test_merge import tree_of


def test_names_give_positions():
    assert unit_positions(np.array(["a", "b"]), ["b"]).tolist() == [1]
    assert unit_positions(np.array([3, 4]), 4).tolist() == [1]


def test_new_names_have_the_type_of_the_others():
    assert check_new_ids(np.array([1, 2]), [np.int64(5)], taken=[1]) == [5]
    assert check_new_ids(np.array(["a"]), ["b"], taken=["a"]) == ["b"]
    for known, name in ((np.array([1]), "b"), (np.array(["a"]), 1), (np.array([1]), True), (np.array([1]), 1.5)):
        with pytest.raises(ParameterError, match="not of the kind"):
            check_new_ids(known, [name], taken=[])


def test_names_of_removed_units_are_not_used_again():
    tree = tree_of([[1000], [2000], [3000]])
    assert unused_ids(xephys.select_units(tree, [0, 1]), 2, stem=0) == [3, 4]
    assert unused_ids(xephys.relabel_units(tree, unit_ids={2: 1000}), 1, stem=0) == [1001]
    renamed = xephys.relabel_units(tree, unit_ids={0: "a", 1: "b", 2: "c"})
    assert unused_ids(renamed, 2, stem="a") == ["a-1", "a-2"]


@pytest.mark.parametrize("ids", [[[7, 17]], [[7, 17], [27]]])
def test_lists_of_lists_are_refused(ids):
    with pytest.raises(ParameterError, match="give one flat list of names"):
        unit_positions(np.array([7, 17, 27]), ids)
