"""Scores of templates equal the sums that they stand for, and contain the expected noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import signal

from tests.support.matching import N_CHANNELS, N_SAMPLES, make_model, make_templates, whole
from xephys.kernels.match.scores import correlate_templates, estimate_noise_gain, noise_gains


def test_scores_equal_direct_correlation() -> None:
    model = make_model(make_templates(3))
    traces = np.random.default_rng(0).standard_normal((1300, N_CHANNELS)).astype(np.float32)
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    scores = correlate_templates(traces, **factors)
    windows = np.lib.stride_tricks.sliding_window_view(traces.astype(np.float64), N_SAMPLES, axis=0)
    expected = np.einsum("tcs,usc->ut", windows, whole(model))
    np.testing.assert_allclose(scores, expected, atol=2e-6 * expected.std() * N_SAMPLES)
    assert correlate_templates(traces[:500], **factors).tobytes() == np.ascontiguousarray(scores[:, :468]).tobytes()


@pytest.mark.parametrize(("n_samples", "n_channels"), [(61, 5), (16, 16), (1109, 37), (1150, 48)])
def test_scores_of_any_number_of_samples_and_channels(n_samples: int, n_channels: int) -> None:
    rng = np.random.default_rng(n_channels)
    traces = rng.standard_normal((n_samples, n_channels)).astype(np.float32)
    temporal, spatial = rng.standard_normal((2, 3, 16)), rng.standard_normal((2, 3, 5))
    temporal, spatial = temporal.astype(np.float32), spatial.astype(np.float32)
    channels = np.stack([rng.permutation(n_channels)[:5] for _ in range(2)]).astype(np.int32)
    spatial[1, 2], channels[1, 3:] = 0, -1  # unused ranks and slots
    scores = correlate_templates(traces, temporal=temporal, spatial=spatial, channels=channels)
    kept = np.where(channels[:, None] >= 0, spatial, 0).astype(np.float64)
    for unit in range(2):
        mixed = traces[:, channels[unit]].astype(np.float64) @ kept[unit].T
        expected = sum(np.correlate(mixed[:, r], temporal[unit, r].astype(np.float64), "valid") for r in range(3))
        np.testing.assert_allclose(scores[unit], expected, atol=1e-4)


@pytest.mark.parametrize("n_samples", [700, 701, 75])
@pytest.mark.parametrize("length", [61, 60])
def test_every_second_sample_gives_the_scores_of_filtered_traces(n_samples: int, length: int) -> None:
    rng = np.random.default_rng(length)
    sos = signal.butter(5, [300, 6000], "bandpass", fs=30_000, output="sos")
    traces = signal.sosfiltfilt(sos, rng.standard_normal((n_samples, 9)), axis=0).astype(np.float32)
    shapes = signal.sosfiltfilt(sos, rng.standard_normal((3, 2, 400)))[:, :, 100 : 100 + length] * np.hanning(length)
    factors = {
        "temporal": shapes.astype(np.float32),
        "spatial": rng.standard_normal((3, 2, 4)).astype(np.float32),
        "channels": np.stack([rng.permutation(9)[:4] for _ in range(3)]).astype(np.int32),
    }
    exact = correlate_templates(traces, **factors)
    sparser = correlate_templates(traces, **factors, score_step=2)
    assert sparser.shape == exact.shape
    # Near the ends, interpolation lacks scores on one side; the halo of a tile is wider than that.
    inner = slice(16, -16) if exact.shape[1] > 100 else slice(None)
    error = np.abs(sparser - exact)[:, inner]
    assert error[:, ::2].max() < 0.02 * exact.std()
    assert error.max() < (0.02 if exact.shape[1] > 100 else 0.5) * exact.std()


def test_white_traces_need_every_sample() -> None:
    model = make_model(make_templates(3))
    traces = np.random.default_rng(0).standard_normal((1300, N_CHANNELS)).astype(np.float32)
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    exact = correlate_templates(traces, **factors)
    assert np.abs(correlate_templates(traces, **factors, score_step=2) - exact).max() > 0.5 * exact.std()


def test_noise_gain_is_the_bandwidth() -> None:
    model = make_model(make_templates(4))
    white = np.random.default_rng(0).standard_normal((60001, N_CHANNELS)).astype(np.float32)
    names = ("temporal", "spatial", "channels", "energies")
    factors: Any = {name: model[name] for name in names}  # type: ignore[literal-required]
    assert estimate_noise_gain(white, **factors) == pytest.approx(1.0, abs=0.05)
    smooth = (white[1:] + white[:-1]) / np.sqrt(2)
    assert estimate_noise_gain(smooth, **factors) == pytest.approx(2.0, rel=0.1)


def test_gains_are_those_of_single_templates_and_their_median_is_the_default():
    rng = np.random.default_rng(0)
    traces = np.convolve(rng.standard_normal(60_001), [0.8, 0.6], "valid")[:, None].astype(np.float32)
    slow, fast = np.array([1.0, 1, 1, 1]) / 2, np.array([1.0, -1, 1, -1]) / 2
    arrays = {
        "temporal": np.stack([slow, fast, slow])[:, None].astype("f4"),
        "spatial": np.array([[[3.0]], [[2.0]], [[0.0]]], "f4"),
        "channels": np.zeros((3, 1), "i4"),
        "energies": np.array([9.0, 4.0, 0.0]),
    }
    gains = noise_gains(traces, **arrays)
    correlation = 0.48  # of neighboring samples
    expected = [1 + 2 * 0.75 * correlation, 1 - 2 * 0.75 * correlation]
    np.testing.assert_allclose(gains[:2], expected, rtol=0.05)
    assert np.isnan(gains[2])
    assert estimate_noise_gain(traces, **arrays) == pytest.approx(np.median(gains[:2]))
    assert np.isnan(noise_gains(traces[:2], **arrays)).all()
