"""Fingerprints, and the shifts at which they match, equal NumPy's."""

import numpy as np
import pytest

from xephys.kernels.motion.fingerprint import aligned_sum, fingerprints, shift_scores

N_DEPTHS, N_LEVELS = 30, 4


@pytest.fixture
def prints():
    rng = np.random.default_rng(0)
    offsets = np.array([0, 120, 120, 400])
    return offsets, rng.integers(-2, N_DEPTHS + 2, 400), rng.integers(0, N_LEVELS, 400)


def moved(values, shift, circular):
    """A fingerprint moved up by a number of bins."""
    if circular:
        return np.roll(values, shift, axis=0)
    out = np.zeros_like(values)
    for z in range(len(values)):
        if 0 <= z - shift < len(values):
            out[z] = values[z - shift]
    return out


def test_logarithm_of_counts_less_its_mean(prints):
    offsets, depth, level = prints
    found = fingerprints(offsets, depth, level, N_DEPTHS, N_LEVELS)
    for t in range(3):
        own = np.arange(offsets[t], offsets[t + 1])
        own = own[(depth[own] >= 0) & (depth[own] < N_DEPTHS)]
        counts, *_ = np.histogram2d(depth[own], level[own], bins=[np.arange(N_DEPTHS + 1), np.arange(N_LEVELS + 1)])
        wanted = np.log2(1 + counts)
        np.testing.assert_allclose(found[t], wanted - wanted.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("circular", [True, False])
def test_scores_are_mean_products_with_the_moved_print(prints, circular):
    values = fingerprints(*prints, N_DEPTHS, N_LEVELS)
    rng = np.random.default_rng(1)
    reference, window = rng.normal(size=(N_DEPTHS, N_LEVELS)).astype("f4"), rng.uniform(size=N_DEPTHS).astype("f4")
    applied = np.array([2, 0, -31 if circular else -3])
    found = shift_scores(values, reference, applied, window, 5, circular)
    for t in range(3):
        for m in range(-5, 6):
            wanted = (window[:, None] * reference * moved(values[t], applied[t] + m, circular)).mean()
            assert found[t, m + 5] == pytest.approx(wanted, abs=1e-5)
    total = sum(moved(v, a, circular) for v, a in zip(values, applied, strict=True))
    np.testing.assert_allclose(aligned_sum(values, applied, circular), total, atol=1e-4)
