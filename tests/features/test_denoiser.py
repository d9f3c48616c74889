"""The low-rank denoiser: its components hold spikes, its weights fall, and denoised waveforms are nearer the truth."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import case
from xephys import ParameterError
from xephys.errors import SilentRecordingError


@pytest.fixture(scope="module")
def denoiser():
    levels = xephys.estimate_noise_levels(case().white)
    return xephys.learn_denoiser(case().white, xephys.detect_peaks(case().white, noise_levels=levels), n_tiles=4)


def test_components_are_orthonormal_and_weights_are_shares(denoiser):
    basis = denoiser["component"].values.astype(np.float64)
    np.testing.assert_allclose(basis @ basis.T, np.eye(8), atol=1e-5)
    assert basis.shape[1] == 42 + 79 and denoiser.attrs["nbefore"] == 42
    weights = denoiser["weight"].values
    assert (weights >= 0).all() and (weights <= 1).all() and weights[0] > 0.8


def test_the_same_recording_gives_the_same_denoiser(denoiser):
    levels = xephys.estimate_noise_levels(case().white)
    peaks = xephys.detect_peaks(case().white, noise_levels=levels)
    assert denoiser.identical(xephys.learn_denoiser(case().white, peaks, n_tiles=4))


def test_too_few_peaks_and_wrong_numbers_are_refused():
    levels = xephys.estimate_noise_levels(case().white)
    silent = xephys.detect_peaks(case().white, noise_levels=levels, detect_threshold=1e4)
    with pytest.raises(SilentRecordingError, match="0 peaks were found in 20 tiles, too few for a denoiser of rank 8"):
        xephys.learn_denoiser(case().white, silent)
    peaks = xephys.detect_peaks(case().white, noise_levels=levels)
    with pytest.raises(ParameterError, match="rank is 0"):
        xephys.learn_denoiser(case().white, peaks, rank=0)
