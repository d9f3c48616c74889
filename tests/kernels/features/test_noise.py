"""The noise of features equals that of the traces for orthonormal components, despite spikes in the excerpts."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.features.noise import feature_noise

BASIS = np.linalg.qr(np.random.default_rng(1).standard_normal((30, 4)))[0].T


def excerpts():
    rng = np.random.default_rng(0)
    return [rng.normal(0, [2.0, 2.0, 50.0], (9000, 3)) for _ in range(3)]


def test_orthonormal_components_keep_the_noise():
    good = np.array([True, True, False])
    assert feature_noise(excerpts(), BASIS, good=good) == pytest.approx(2.0, rel=0.02)
    assert feature_noise(excerpts(), 3 * BASIS, good=good) == pytest.approx(6.0, rel=0.02)


def test_a_few_spikes_do_not_change_the_noise():
    noisy = excerpts()
    for excerpt in noisy:
        excerpt[100::3000, :2] += 500
    assert feature_noise(noisy, BASIS, good=np.array([True, True, False])) == pytest.approx(2.0, rel=0.03)


def test_projections_are_those_of_consecutive_windows():
    excerpt = excerpts()[0][:95]
    values = [abs(b @ excerpt[start : start + 30, c]) for start in (0, 30, 60) for b in BASIS for c in (0, 1)]
    found = feature_noise([excerpt], BASIS, good=np.array([True, True, False]))
    assert found == pytest.approx(np.median(values) / 0.6744897501960817)


def test_excerpts_that_are_too_short_are_refused():
    assert feature_noise([np.zeros((29, 3))], BASIS, good=np.ones(3, bool)) == 0.0
    assert feature_noise([], BASIS, good=np.ones(3, bool)) == 0.0
