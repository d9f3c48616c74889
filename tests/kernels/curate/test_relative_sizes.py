"""Sizes of spikes of merged templates, relative to the merged unit."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.curate.relative_sizes import relative_sizes


def test_spikes_of_a_merged_unit_have_a_mean_of_one():
    rng = np.random.default_rng(0)
    norms, counts = rng.uniform(5, 50, 12), rng.integers(0, 400, 12)
    target = np.array([0, 0, 2, 2, 2, -1, 6, 7, 7, -1, 10, 11])
    sizes = relative_sizes(norms, target, counts)
    for unit in (0, 2, 7):
        members, weights = target == unit, np.maximum(counts, 1)
        assert (sizes * weights)[members].sum() == pytest.approx(weights[members].sum())
        assert np.ptp((sizes / norms)[members]) == pytest.approx(0)
    assert (sizes[[5, 6, 9, 10, 11]] == 1).all()


def test_no_templates():
    assert relative_sizes(np.zeros(0), np.zeros(0, int), np.zeros(0, int)).tolist() == []
