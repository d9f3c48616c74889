"""Artifacts and the samples near them are zeroed, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.preprocess.blank.artifacts import blank_artifacts


def test_result_equals_a_check_of_every_sample():
    rng = np.random.default_rng(0)
    traces = rng.standard_normal((400, 5)).astype("f4")
    traces[[30, 31, 200, 395], [0, 4, 2, 2]] = [-9, 8, 7, 9]
    traces[250, 3] = 99
    used = np.array([True, True, True, False, True])
    found = blank_artifacts(traces, before=10, after=10, threshold=7.0, reach_samples=10, good=used)
    large = (np.abs(traces[:, used]) >= 7.0).any(axis=1)
    for row in range(10, 390):
        expected = np.zeros(5) if large[row - 10 : row + 11].any() else traces[row]
        np.testing.assert_array_equal(found[row - 10], expected)
    assert (found[240] == traces[250]).all()  # on a channel that is not checked
    assert (found[-5:] == 0).all()  # near an artifact beyond the end


def test_a_short_halo_is_refused():
    with pytest.raises(ValueError, match="artifacts reach 5 samples"):
        blank_artifacts(np.zeros((9, 1)), before=2, after=5, threshold=1, reach_samples=5, good=np.ones(1, bool))
