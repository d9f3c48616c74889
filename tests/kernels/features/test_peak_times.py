"""The kernel's times are those of a plain calculation with SciPy and NumPy; clusters are those of directions."""

import numpy as np
import pytest
from scipy.linalg import toeplitz

from xephys.kernels.features import peak_times as kernel

HALF = 20
LENGTH = 2 * HALF + 1
WIDE = np.arange(-HALF - kernel.MARGIN, HALF + kernel.MARGIN + 1)


def shape(time, width):
    return -np.exp(-(((WIDE - time) / width) ** 2)) + 0.3 * np.exp(-(((WIDE - time - 9) / 6) ** 2))


@pytest.fixture(scope="module")
def snippets():
    rng = np.random.default_rng(1)
    true = rng.uniform(-1, 1, 120)
    clean = np.stack([12 * shape(t, 3.0 if i % 2 else 5.0) for i, t in enumerate(true)])
    return (clean + rng.standard_normal(clean.shape)).astype(np.float32), true


def test_shifting_is_interpolation(snippets):
    times = np.array([-2.75, 0.0, 1.3])
    exact = np.stack([shape(0.4, 4.0)] * 3).astype(np.float32)
    found = kernel.shifted(exact, times, LENGTH)
    inner = slice(kernel.MARGIN, -kernel.MARGIN)
    for row, time in zip(found, times, strict=True):
        np.testing.assert_allclose(row, shape(0.4 - time, 4.0)[inner], atol=2e-3)


def test_times_of_one_waveform_are_those_of_least_squares(snippets):
    given, true = snippets
    own = np.ascontiguousarray(given[::2])
    covariance = 0.5 ** np.arange(LENGTH)
    middle = shape(0.0, 5.0)[kernel.MARGIN : -kernel.MARGIN]
    model = {"waveforms": middle[None, None].astype(np.float32), "share": np.ones((1, 1)), "trough": np.zeros((1, 1))}
    weights = np.linalg.inv(toeplitz(covariance) + kernel.WHITE_SHARE * np.eye(LENGTH))
    channels = np.zeros(len(own), np.int64)
    dual = kernel.dual_of(model, kernel._precision(covariance))
    found = kernel.estimate_times(own, channels, np.zeros(len(own)), dual)
    grid = np.arange(-2, 2, 0.01)
    fits = np.stack([shape(t, 5.0)[kernel.MARGIN : -kernel.MARGIN] for t in grid])
    snips = own[:, kernel.MARGIN : -kernel.MARGIN].astype(float)
    explained = (snips @ weights @ fits.T) ** 2 / np.einsum("ti,ij,tj->t", fits, weights, fits)
    np.testing.assert_allclose(found, grid[explained.argmax(axis=1)], atol=0.04)
    assert np.median(np.abs(found - true[::2])) < 0.2


def test_waveforms_of_a_mixture_are_told_apart(snippets):
    given, true = snippets
    white = np.eye(1, LENGTH)[0]
    channels = np.ones(len(given), np.int64)
    model = kernel.learn_peak_waveforms(
        given, channels, np.zeros(len(given)), n_channels=2, n_waveforms=3, autocovariance=white
    )
    assert not model["share"][0].any() and model["share"][1].sum() == pytest.approx(1.0)
    large = np.argsort(-model["share"][1])[:2]
    widths = np.sort((model["waveforms"][1, large] < -0.5).sum(axis=1))
    assert widths[0] in (5, 6) and widths[1] in (8, 9)
    dual = kernel.dual_of(model, kernel._precision(white))
    found = kernel.estimate_times(given, channels, np.zeros(len(given)), dual)
    assert np.median(np.abs(found - true)) < 0.1


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


def test_directions_are_clustered_whatever_the_lengths():
    rng = np.random.default_rng(0)
    centers = np.eye(3, 8)
    truth = np.arange(90) % 3
    points = (centers[truth] + 0.1 * rng.standard_normal((90, 8))) * rng.uniform(1, 20, 90)[:, None]
    labels = kernel.cluster_by_direction(points, 3, 20)
    assert all(len(set(labels[truth == k])) == 1 for k in range(3)) and len(set(labels)) == 3


def test_a_short_halo_is_refused():
    events = np.zeros(1, [("sample_index", "i8"), ("channel_index", "i8")])
    model = {"waveforms": np.zeros((1, 1, 9), np.float32), "share": np.zeros((1, 1)), "trough": np.zeros((1, 1))}
    with pytest.raises(ValueError, match=r"halo is 4 samples before and 4 after"):
        kernel.refine_peak_times(
            np.zeros((9, 1), np.float32), events, before=4, after=4, start=0, noise_levels=np.ones(1), model=model,
            autocovariance=np.eye(1, 9)[0],
        )  # fmt: skip
