"""Principal components beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.analysis.components import fit, project


def waveforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    channels = np.array([[0, 2, -1], [1, 2, 3]], np.int32)
    units = rng.integers(0, 2, 80)
    values = rng.normal(size=(80, 1, 3)) * np.sin(np.arange(12))[None, :, None] * 3 + rng.normal(size=(80, 12, 3))
    values[channels[units][:, None, :].repeat(12, axis=1) < 0] = 0
    return values.astype(np.float32), units, channels


@pytest.mark.parametrize("mode", ["by_channel_local", "by_channel_global", "concatenated"])
def test_components_equal_scikit_learns(mode: str) -> None:
    from sklearn.decomposition import PCA

    values, units, channels = waveforms()
    model = fit(values, units, channels, mode=mode, n_components=2, n_channels=4)
    scores = project(values, units, channels, model, mode=mode, whiten=True)
    if mode == "concatenated":
        dense = np.zeros((80, 12, 5), np.float32)
        np.put_along_axis(dense, channels[units][:, None, :].astype(int), values, axis=2)
        rows, found = dense[:, :, :4].reshape(80, -1), scores
    else:
        slots = channels[units]
        used = slots == 2 if mode == "by_channel_local" else slots >= 0
        rows, found = np.moveaxis(values, 2, 1)[used], np.moveaxis(scores, 2, 1)[used]
    expected = PCA(2, whiten=True, svd_solver="full").fit_transform(rows.astype(float))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=2e-3)


def test_a_channel_with_too_few_waveforms_has_scores_of_zero() -> None:
    values, units, channels = waveforms()
    model = fit(values[:3], units[:3], channels, mode="by_channel_local", n_components=5, n_channels=4)
    assert not model.components.any()
    assert not project(values[:3], units[:3], channels, model, mode="by_channel_local", whiten=True).any()


def test_an_incomplete_block_of_waveforms_counts_too() -> None:
    values, units, channels = waveforms()
    for n in (7, 8, 9, 80):
        model = fit(values[:n], units[:n], channels, mode="by_channel_global", n_components=2, n_channels=4)
        member = channels[units[:n]] >= 0
        rows = np.moveaxis(values[:n], 2, 1)[member].astype(np.float64)
        np.testing.assert_allclose(model.means[0], rows.mean(axis=0), rtol=1e-4, atol=1e-5)
        leading = np.linalg.eigvalsh(np.cov(rows.T))[::-1][:2]
        np.testing.assert_allclose(model.variances[0], leading, rtol=1e-5)
