"""Results in the tree: kept for unchanged units, replaced for others."""

from __future__ import annotations

import numpy as np
import xarray as xr

import xephys
from xephys.analysis.results import Analysis, Settings, described, known_node, padded_to, with_nodes
from xephys.analysis.subject import Subject


def test_a_result_is_valid_for_the_units_it_was_made_for(analyzed: xr.DataTree, recording: xr.DataArray) -> None:
    tree = with_nodes(analyzed, {})
    node = known_node(tree, "templates")
    assert node is not None
    keys = node["unit_key"].values.copy()
    keys[1] += 1
    tree = with_nodes(tree, {"analysis/templates": node.assign(unit_key=("unit", keys))})
    analysis = Analysis(subject=Subject.of(tree, recording), settings=Settings())
    analysis.compare("templates", described=node.attrs["parameters"], reads=True)
    assert analysis.changed["templates"].tolist() == [False, True, False, False, False]
    analysis.compare("templates", described="{}", reads=True)
    assert analysis.changed["templates"].all()


def test_another_recording_invalidates_all_units(analyzed: xr.DataTree, recording: xr.DataArray) -> None:
    node = known_node(analyzed, "templates")
    assert node is not None
    analysis = Analysis(subject=Subject.of(analyzed, xephys.scale(recording, gain=2)), settings=Settings())
    analysis.compare("templates", described=node.attrs["parameters"], reads=True)
    assert analysis.changed["templates"].all()


def test_equal_parameters_have_one_text() -> None:
    assert described({"a": np.float64(1.0), "b": (1, 2)}) == described({"b": [1, 2], "a": 1.0})


def test_padding_extends_the_last_dimension() -> None:
    assert padded_to(np.zeros((2, 1)), 2, 7).tolist() == [[0.0, 7.0], [0.0, 7.0]]
