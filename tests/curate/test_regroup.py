"""All nodes of a tree are rearranged for a new list of units."""

import numpy as np
import pytest
import xarray as xr

from xephys.curate.regroup import logged_tree, nodes_of, regrouped, with_rows
from xephys.errors import ParameterError

from .test_merge import tree_of


def test_longer_texts_fit_and_types_are_kept():
    dataset = xr.Dataset({"label": ("unit", ["a", "b"]), "count": ("unit", np.array([1, 2], "i4"))})
    changed = with_rows(with_rows(dataset, "label", 1, "unsorted"), "count", [0], 7)
    assert changed["label"].values.tolist() == ["a", "unsorted"]
    assert changed["count"].dtype == np.int32 and dataset["count"].values.tolist() == [1, 2]


def test_learned_templates_follow_their_units():
    tree = tree_of([[1000], [2000], [3000]])
    learned = xr.Dataset(
        {
            "waveform": (("unit", "sample"), np.arange(8.0).reshape(4, 2)),
            "unit_index": ("unit", [1, 0, 1, 2]),
            "represents": ("unit", [True, True, False, True]),
        }
    )
    nodes = {**nodes_of(tree), "learned/templates": learned}
    new = regrouped(
        nodes,
        unit_of_spike=np.array([1, 0, 0]),
        source=np.array([2, 0]),
        successor=np.array([1, 0, 0]),
        unit_ids=np.array([5, 6]),
    )["learned/templates"]
    assert new["represents"].values.tolist() == [True, True, False, False]
    assert new["unit_index"].values.tolist() == [0, 1, 0, 0]
    assert new["waveform"].values[:, 0].tolist() == [6.0, 2.0, 0.0, 4.0]


def test_nodes_that_do_not_fit_are_refused():
    tree = tree_of([[1000], [2000]])
    nodes = nodes_of(tree)
    nodes["units"] = nodes["units"].isel(unit=[0])
    with pytest.raises(ParameterError, match="select_units"):
        logged_tree(nodes, tree, {"step": "none"})
