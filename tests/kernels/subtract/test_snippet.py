"""One snippet: what is subtracted explains the energy that is reported, and noise alone is not subtracted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.subtract.spiking import N_CHANNELS, NBEFORE, L, settings, spiking
from xephys.kernels.subtract.snippet import REALIGN_SAMPLES, SHRINKAGE, denoise_snippet, peak_shift, take_snippet

DENOISER = settings()["denoiser"]
COMPONENTS = np.ascontiguousarray(DENOISER["components"].T)
SLOTS = np.array([1, 3, 4, -1], np.int32)


def denoised(residual: np.ndarray, first: int) -> tuple[float, np.ndarray]:
    coefficients = np.full((len(SLOTS), 2), np.nan, np.float32)
    gain = denoise_snippet.py_func(
        residual, first, SLOTS, COMPONENTS, DENOISER["weights"], DENOISER["noise"], coefficients
    )
    return gain, coefficients


def test_the_gain_is_the_energy_that_subtracting_removes() -> None:
    before, gains = spiking(500, 20, 3), []
    for first in range(20, 460, 5):
        after = before.copy()
        gain, coefficients = denoised(before, first)
        take_snippet.py_func(after, first, SLOTS, COMPONENTS, coefficients)
        assert gain == pytest.approx(float((before**2 - after**2).sum(dtype="f8")), rel=1e-3, abs=1e-2)
        rows, channels = np.nonzero(before != after)
        assert set(channels) <= {1, 3, 4} and all((rows >= first) & (rows < first + L))
        gains.append(gain)
    assert max(gains) > 100 and min(gains) == 0


def test_channels_without_more_than_noise_are_left_alone() -> None:
    residual = np.zeros((100, N_CHANNELS), np.float32)
    expected = SHRINKAGE * (DENOISER["weights"] * DENOISER["noise"]).sum()
    residual[20 : 20 + L, 1] = np.sqrt(0.99 * expected) * COMPONENTS[:, 0]
    residual[20 : 20 + L, 3] = np.sqrt(4 * expected) * COMPONENTS[:, 0]
    gain, coefficients = denoised(residual, 20)
    assert not coefficients[[0, 2, 3]].any() and gain > 0
    np.testing.assert_allclose(coefficients[1], [0.75 * np.sqrt(4 * expected), 0], rtol=1e-5, atol=1e-5)


def test_the_shift_leads_to_the_extremum() -> None:
    rng = np.random.default_rng(0)
    for coefficients in rng.standard_normal((50, 2)).astype("f4"):
        waveform = COMPONENTS @ coefficients
        near = np.arange(NBEFORE - REALIGN_SAMPLES, NBEFORE + REALIGN_SAMPLES + 1)
        sizes = np.where(waveform[near] < 0, -2 * waveform[near], waveform[near])
        assert peak_shift.py_func(coefficients, COMPONENTS, NBEFORE, 2.0) == near[sizes.argmax()] - NBEFORE
