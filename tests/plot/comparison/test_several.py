"""Several sortings: bars of agreement, by sorter, and the graph of matches."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.comparison import compare_multiple_sorters
from xephys.plot import plot_multicomp_agreement, plot_multicomp_agreement_by_sorter, plot_multicomp_graph


@pytest.fixture(scope="module")
def several():
    """Unit 0 is in all three sortings, unit 1 in two, unit 2 in one."""
    rng = np.random.default_rng(0)
    samples = np.sort(rng.choice(90_000, 300, replace=False)) * 10
    labels = np.repeat([0, 1, 2], 100)
    sortings = [
        xephys.make_sorting(sample_index=samples[labels < k], labels=labels[labels < k], sampling_frequency=30_000.0)
        for k in (3, 2, 1)
    ]
    return compare_multiple_sorters(sortings, name_list=["a", "b", "c"])


def test_bars_count_the_units(several):
    assert [bar.get_height() for bar in plot_multicomp_agreement(several).patches] == [1, 1, 1]
    ax = plot_multicomp_agreement_by_sorter(several)
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(3, 3)  # in all sortings, in two, in one
    assert heights.tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["all 3", "2 of 3", "this one alone"]


def test_a_graph_has_every_unit_and_match(several):
    ax = plot_multicomp_graph(several)
    assert len(ax.collections[0].get_offsets()) == 6
    assert len(ax.lines) == 4  # three edges between units 0, one between units 1
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "0", "1", "0"]
