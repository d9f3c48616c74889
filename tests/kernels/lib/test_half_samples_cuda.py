"""Values between samples by one CUDA kernel, in Numba's simulator or on a GPU, equal those of array operations."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.lib.half_samples_cuda import interleaved
from xephys.kernels.match.scores import HALF_SAMPLE_WEIGHTS
from xephys.kernels.match.scores_device import interleaved as by_arrays


@pytest.mark.parametrize(("n_coarse", "n_scores"), [(1, 2), (5, 9), (40, 80), (40, 79)])
def test_values_equal_those_of_array_operations(cuda_xp, n_coarse, n_scores):
    coarse = np.random.default_rng(n_coarse).normal(0, 20, (3, n_coarse)).astype(np.float32)
    found = interleaved(cuda_xp, *map(cuda_xp.asarray, (coarse, HALF_SAMPLE_WEIGHTS)), n_scores, n_threads=4)
    assert found.flags.c_contiguous
    expected = by_arrays(np, coarse, n_scores)
    np.testing.assert_array_equal(to_host(found)[:, ::2], expected[:, ::2])
    np.testing.assert_allclose(to_host(found), expected, atol=1e-4)


@pytest.mark.parametrize("n_rows", [0, 2])
def test_nothing_has_no_values(cuda_xp, n_rows):
    weights = cuda_xp.asarray(HALF_SAMPLE_WEIGHTS)
    assert interleaved(cuda_xp, cuda_xp.zeros((n_rows, 0), dtype="f4"), weights, 0).shape == (n_rows, 0)
