"""The noise of features equals that of the traces for orthonormal components, despite spikes in the excerpts."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.features.noise import feature_covariance, feature_noise

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


def correlated(n_samples=60_000):
    """Noise of three channels, the first two correlated, of 2 and 4 units."""
    rng = np.random.default_rng(3)
    common = rng.normal(size=(n_samples, 1))
    return [(common * [1, 1, 0] + rng.normal(size=(n_samples, 3))) * [2, 2, 4]]


APART = np.array([[0.0, 0, 400], [0, 0, 400], [400, 400, 0]])


def test_the_covariance_is_that_of_channels_times_that_of_components():
    found = feature_covariance(correlated(), BASIS, distances_um=APART, radius_um=300.0)
    expected = np.einsum("cd,kl->ckdl", [[8, 4, 0], [4, 8, 0], [0, 0, 16]], np.eye(4))
    np.testing.assert_allclose(found, expected, atol=0.9)
    assert not found[:2, :, 2].any()  # farther apart than the radius


def test_components_that_go_together_are_found_to():
    mixed = np.array([[1.0, 0.6], [0.0, 0.8]]) @ BASIS[:2]
    found = feature_covariance(correlated(), mixed, distances_um=APART, radius_um=300.0)
    np.testing.assert_allclose(found[2, :, 2] / 16, mixed @ mixed.T, atol=0.08)


def test_spikes_are_left_out_and_the_covariance_stays_positive():
    noisy = correlated()
    noisy[0][100::600, :2] += 300
    found = feature_covariance(noisy, BASIS, distances_um=np.zeros((3, 3)), radius_um=300.0)
    plain = feature_covariance(correlated(), BASIS, distances_um=np.zeros((3, 3)), radius_um=300.0)
    np.testing.assert_allclose(found, plain, atol=0.6)
    assert np.linalg.eigvalsh(found.reshape(12, 12)).min() > 0


def test_silence_has_no_covariance():
    for silent in ([np.zeros((90, 3))], [np.zeros((29, 3))], []):
        assert not feature_covariance(silent, BASIS, distances_um=APART, radius_um=300.0).any()
