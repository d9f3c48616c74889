"""Autocovariance of noise: spikes are left out."""

import numpy as np

from xephys.kernels.features import autocovariance as kernel


def test_autocovariance_leaves_spikes_out():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((20_001, 2))
    noise = (noise[1:] + noise[:-1]) / np.sqrt(2)
    with_spikes = noise.copy()
    with_spikes[::150] -= 40
    levels, good = np.ones(2), np.array([True, True])
    clean = kernel.autocovariance([noise], levels, good, 5)
    np.testing.assert_allclose(clean, [1, 0.5, 0, 0, 0], atol=0.03)
    np.testing.assert_allclose(kernel.autocovariance([with_spikes], levels, good, 5), clean, atol=0.03)
    assert kernel.autocovariance([with_spikes * 100], levels, good, 3).tolist() == [1, 0, 0]
