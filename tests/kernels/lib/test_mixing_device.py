"""Channels mixed on a device equal those of NumPy, with dense and sparse weights."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.counts import agree
from xephys.kernels.lib import mixing, mixing_device


@pytest.mark.parametrize("dense", [True, False])
def test_mixtures_agree(xp, counts, dense):
    rng = np.random.default_rng(1)
    mean = rng.normal(size=40)
    if dense:
        packed = mixing.pack_dense(rng.normal(size=(40, 40)), mean=mean)
    else:
        distances = np.abs(np.arange(40)[:, None] - np.arange(40))
        neighbors = np.argsort(distances, axis=1, kind="stable")[:, :9].astype(np.int32)
        neighbors[3, 4:] = -1
        packed = mixing.pack_sparse(neighbors, rng.normal(size=(40, 9)), mean=mean)
    values = counts[:700].astype(np.float32)
    keywords = {"before": 1, "after": 4, **packed}
    agree(mixing_device.mix_channels(xp, xp.asarray(values), **keywords), mixing.mix_channels(values, **keywords), 1e-5)
