"""Units whose removal raises the held-out likelihood."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from xephys.kernels.cluster.mixture.demolish import removal_gains


def test_gains_are_differences_of_the_likelihoods_with_and_without_a_unit() -> None:
    rng = np.random.default_rng(0)
    n_spikes, log_noise = 50, -2.0
    candidates = np.argsort(rng.random((n_spikes, 4)), axis=1).astype(np.int32)
    candidates[::5, 3] = -1
    joint = rng.normal(size=(n_spikes, 4)).astype(np.float32) * 3
    joint[candidates < 0] = -np.inf
    held_out = np.arange(n_spikes) % 2 == 1
    weights = np.array([0.4, 0.3, 0.15, 0.05])
    gains = removal_gains(candidates, joint, held_out, np.log(weights), log_noise)
    for unit in range(4):
        without = np.where(candidates == unit, -np.inf, joint)
        noise = np.full((n_spikes, 1), log_noise)
        before = logsumexp(np.concatenate([joint, noise], axis=1), axis=1)[held_out].sum()
        after = logsumexp(np.concatenate([without, noise], axis=1), axis=1)[held_out].sum()
        after -= held_out.sum() * np.log(1 - weights[unit])
        np.testing.assert_allclose(gains[unit], after - before, rtol=1e-5)
