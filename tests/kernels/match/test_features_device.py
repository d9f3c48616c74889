"""Cleaned features on a device equal those of the CPU, however many spikes overlap."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import (
    N_BEFORE,
    N_SAMPLES,
    NEIGHBORS,
    make_model,
    make_templates,
    make_traces,
    random_spikes,
)
from xephys.kernels.match import features as cpu
from xephys.kernels.match import features_device as device


@pytest.mark.parametrize(("n_units", "count"), [(1, 5), (4, 60), (12, 250)])
def test_features_agree(xp, n_units, count):
    model = make_model(make_templates(n_units, seed=n_units))
    rng = np.random.default_rng(3)
    components = np.linalg.qr(rng.standard_normal((N_SAMPLES, 4)))[0].T.astype(np.float32)
    traces = make_traces(model, random_spikes(n_units, 3000, count, seed=5), 3000, noise=1.0)
    keywords = {
        "before": 120, "after": 130, "start": 500, "nbefore": N_BEFORE, "components": np.ascontiguousarray(components),
        "neighbors": NEIGHBORS, "model": model,
    }  # fmt: skip
    expected = cpu.match_and_project(traces, **keywords)
    found = device.match_and_project(xp, xp.asarray(traces), **keywords).get()
    assert len(expected) > 0.6 * count and found.dtype == expected.dtype
    assert np.array_equal(found["sample_index"], expected["sample_index"])
    assert np.array_equal(found["unit_index"], expected["unit_index"])
    size = np.abs(expected["projection"]).max()
    assert np.abs(found["projection"] - expected["projection"]).max() < 1e-4 * size
