"""The sequential pursuit: the smallest scores that count, and picks without overlap."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import make_model, make_templates, make_traces
from xephys.kernels.match import templates as matching
from xephys.kernels.match.limits import checked_limits
from xephys.kernels.match.pairs import amplitude_and_gain
from xephys.kernels.match.pursuit import minimum_scores, pursue
from xephys.kernels.match.scores import correlate_templates


@pytest.mark.parametrize("limits", [{}, {"noise_gain": 2.5}, {"amplitude_std": 0.05}, {"match_threshold": 9.0}])
def test_the_smallest_score_gains_the_threshold(limits):
    """Just below it, a spike does not count, or is smaller than the smallest permitted amplitude."""
    checked = checked_limits(**limits)
    energies = np.array([30.0, 100.0, 900.0])
    scores = minimum_scores(energies, limits=checked)
    for energy, score in zip(energies, scores.astype(float), strict=True):
        amplitude, gain = amplitude_and_gain(energy, checked, score)
        assert gain >= checked.match_threshold**2 * (1 - 1e-5)
        free = (score + checked.amplitude_precision * checked.noise_gain) / (
            energy + checked.amplitude_precision * checked.noise_gain
        )
        at_smallest = abs(free - checked.amplitude_min) < 1e-5
        assert at_smallest or gain == pytest.approx(checked.match_threshold**2, rel=1e-4)
        assert amplitude <= checked.amplitude_max


def test_spikes_far_apart_are_all_taken():
    model = make_model(make_templates(3, seed=0))
    planted = [(0, 100, 1.0), (1, 300, 1.1), (2, 500, 0.9), (0, 700, 1.0)]
    traces = make_traces(model, planted, 1000, noise=0.5)
    scores = correlate_templates(traces, **{name: model[name] for name in ("temporal", "spatial", "channels")})
    limits = checked_limits()
    minimum = minimum_scores(model["energies"], limits=limits)
    pairs = matching.pairs_of_model(model, None)
    found, values = pursue(scores, model["energies"], minimum, pairs, limits)
    order = np.argsort(found[:, 1])
    assert found[order, 0].tolist() == [unit for unit, _, _ in planted]
    np.testing.assert_allclose(values[order, 0], [size for _, _, size in planted], atol=0.05)
