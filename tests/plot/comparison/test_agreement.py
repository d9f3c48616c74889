"""Agreement of two sortings, and collisions pair by pair."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xephys.comparison import compare_collisions
from xephys.plot import (
    plot_agreement,
    plot_comparison_collision_by_similarity,
    plot_comparison_collision_pair_by_pair,
)

from ..units.test_trains import panels


def test_scores_are_drawn_with_their_numbers():
    table = pd.DataFrame([[0.9, 0.0], [0.1, 0.4]], index=["a", "b"], columns=[3, 7])
    ax = plot_agreement(table)
    np.testing.assert_array_equal(ax.images[0].get_array(), table.to_numpy())
    assert sorted(text.get_text() for text in ax.texts) == ["0.10", "0.40", "0.90"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_collisions_of_each_pair_and_their_recall():
    rng = np.random.default_rng(0)
    dims = ("truth_unit", "other_unit", "lag")
    found, missed = rng.integers(1, 9, (3, 3, 5)), rng.integers(0, 9, (3, 3, 5))
    coords = {"truth_unit": ["a", "b", "c"], "other_unit": ["a", "b", "c"], "lag": np.linspace(-2, 2, 5)}
    counts = xr.Dataset({"num_found": (dims, found), "num_missed": (dims, missed)}, coords=coords)
    frame = plot_comparison_collision_pair_by_pair(counts, unit_ids=["c", "a"])
    bars = [panel for panel in panels(frame) if panel.patches and panel.get_ylabel() != "recall"]
    np.testing.assert_array_equal(
        [bar.get_height() for bar in bars[0].patches], [*(found + missed)[2, 0], *found[2, 0]]
    )
    curves = [panel.lines[0].get_ydata() for panel in panels(frame) if panel.lines]
    np.testing.assert_allclose(curves[0], found[2, 0] / (found + missed)[2, 0])
    assert len(curves) == 2


def test_recall_by_similarity_equals_the_comparisons(sorting):
    collisions = compare_collisions(sorting, sorting)
    similarity = np.array([[1, 0.2, 0.9], [0.2, 1, 0.5], [0.9, 0.5, 1]])
    ax = plot_comparison_collision_by_similarity(collisions, similarity)
    expected = collisions.recall_by_similarity(similarity)
    picture = ax.images[0].get_array()
    np.testing.assert_array_equal(picture.filled(np.nan), expected["recall"].values)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0.20", "0.20", "0.50", "0.50", "0.90", "0.90"]
