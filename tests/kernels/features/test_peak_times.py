"""The kernel's times are those of a plain calculation with SciPy and NumPy."""

import numpy as np
import pytest
from scipy.linalg import toeplitz

from tests.support.troughs import LENGTH, shape, snippets
from xephys.kernels.features import peak_times as kernel
from xephys.kernels.features.autocovariance import WHITE_SHARE, precision_of


def test_shifting_is_interpolation():
    times = np.array([-2.75, 0.0, 1.3])
    exact = np.stack([shape(0.4, 4.0)] * 3).astype(np.float32)
    found = kernel.shifted(exact, times, LENGTH)
    inner = slice(kernel.MARGIN, -kernel.MARGIN)
    for row, time in zip(found, times, strict=True):
        np.testing.assert_allclose(row, shape(0.4 - time, 4.0)[inner], atol=2e-3)


def test_times_of_one_waveform_are_those_of_least_squares():
    given, true = snippets()
    own = np.ascontiguousarray(given[::2])
    covariance = 0.5 ** np.arange(LENGTH)
    middle = shape(0.0, 5.0)[kernel.MARGIN : -kernel.MARGIN]
    model = {"waveforms": middle[None, None].astype(np.float32), "share": np.ones((1, 1)), "trough": np.zeros((1, 1))}
    weights = np.linalg.inv(toeplitz(covariance) + WHITE_SHARE * np.eye(LENGTH))
    channels = np.zeros(len(own), np.int64)
    dual = kernel.dual_of(model, precision_of(covariance))
    found = kernel.estimate_times(own, channels, np.zeros(len(own)), dual)
    grid = np.arange(-2, 2, 0.01)
    fits = np.stack([shape(t, 5.0)[kernel.MARGIN : -kernel.MARGIN] for t in grid])
    snips = own[:, kernel.MARGIN : -kernel.MARGIN].astype(float)
    explained = (snips @ weights @ fits.T) ** 2 / np.einsum("ti,ij,tj->t", fits, weights, fits)
    np.testing.assert_allclose(found, grid[explained.argmax(axis=1)], atol=0.04)
    assert np.median(np.abs(found - true[::2])) < 0.2


def test_a_short_halo_is_refused():
    events = np.zeros(1, [("sample_index", "i8"), ("channel_index", "i8")])
    model = {"waveforms": np.zeros((1, 1, 9), np.float32), "share": np.zeros((1, 1)), "trough": np.zeros((1, 1))}
    with pytest.raises(ValueError, match=r"halo is 4 samples before and 4 after"):
        kernel.refine_peak_times(
            np.zeros((9, 1), np.float32), events, before=4, after=4, start=0, noise_levels=np.ones(1), model=model,
            autocovariance=np.eye(1, 9)[0],
        )  # fmt: skip
