"""SLAy's scores beside SpikeInterface's."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.curation import auto_merge

from xephys.kernels.curate.slay import correlogram_significances, shared_refractoriness


@pytest.mark.parametrize("bin_ms", [0.5, 1.0])
def test_scores_equal_spikeinterfaces(bin_ms: float) -> None:
    rng = np.random.default_rng(0)
    lags = np.abs(np.arange(-50, 50) + 0.5) * bin_ms
    dips = np.clip(lags / rng.uniform(0.5, 15, (12, 1)), 0, 1)
    counts = rng.poisson(rng.uniform(2, 40, (12, 1)) * dips)
    counts[0] = 0
    significances = [auto_merge._compute_xcorr_pair(one, bin_size_s=bin_ms / 1000, min_xcorr_rate=0) for one in counts]
    np.testing.assert_allclose(correlogram_significances(counts, bin_ms=bin_ms), significances, rtol=1e-9)
    shared = [auto_merge._sliding_RP_viol_pair(one, bin_size_ms=bin_ms) for one in counts]
    np.testing.assert_allclose(shared_refractoriness(counts, bin_ms=bin_ms), shared, atol=1e-12)


def test_no_pairs() -> None:
    none = np.zeros((0, 50), int)
    assert correlogram_significances(none, bin_ms=1.0).shape == shared_refractoriness(none, bin_ms=1.0).shape == (0,)
