"""Scores of templates on a device equal those of NumPy, from every sample or every second."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import N_SAMPLES, make_model, make_templates, make_traces, random_spikes
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.match import scores_device as match_scores
from xephys.kernels.match.scores import correlate_templates


@pytest.mark.parametrize("n_units", [1, 7])
@pytest.mark.parametrize("n_samples", [1500, 1501, N_SAMPLES, N_SAMPLES - 1])
def test_scores_from_every_second_sample(xp, n_units, n_samples):
    model = make_model(make_templates(n_units, seed=n_units))
    traces = make_traces(model, random_spikes(n_units, 1501, 10, seed=0), 1501, noise=1.0)[:n_samples]
    keywords = {name: model[name] for name in ("temporal", "spatial", "channels")} | {"score_step": 2}
    found = to_host(match_scores.correlate_templates(xp, xp.asarray(traces), **keywords))
    expected = correlate_templates(traces, **keywords)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max(initial=1.0))


@pytest.mark.parametrize("n_units", [1, 7, 40])
def test_scores(xp, n_units):
    model = make_model(make_templates(n_units, seed=n_units))
    traces = make_traces(model, random_spikes(n_units, 1500, 10, seed=0), 1500, noise=1.0)
    keywords = {name: model[name] for name in ("temporal", "spatial", "channels")}
    found = to_host(match_scores.correlate_templates(xp, xp.asarray(traces), **keywords))
    expected = correlate_templates(traces, **keywords)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
    for length in (N_SAMPLES - 1, N_SAMPLES, N_SAMPLES + 70):
        short = match_scores.correlate_templates(xp, xp.asarray(traces[:length]), **keywords)
        np.testing.assert_allclose(to_host(short), expected[:, : max(length - N_SAMPLES + 1, 0)], atol=1e-2)
