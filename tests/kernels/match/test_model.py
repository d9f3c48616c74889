"""Scores and the model of matching against the sums that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import signal

from xephys.kernels.match.model import build_match_model, shift_matrices
from xephys.kernels.match.scores import correlate_templates, estimate_noise_gain
from xephys.kernels.match.templates import MATCH_DTYPE, subtract_spikes

from ...support.matching import N_BEFORE, N_CHANNELS, N_SAMPLES, make_model, make_templates, whole


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
    spatial[1, 2], channels[1, 3:] = 0, -1  # ranks and slots that are not used
    scores = correlate_templates(traces, temporal=temporal, spatial=spatial, channels=channels)
    kept = np.where(channels[:, None] >= 0, spatial, 0).astype(np.float64)
    for unit in range(2):
        mixed = traces[:, channels[unit]].astype(np.float64) @ kept[unit].T
        expected = sum(np.correlate(mixed[:, r], temporal[unit, r].astype(np.float64), "valid") for r in range(3))
        np.testing.assert_allclose(scores[unit], expected, atol=1e-4)


@pytest.mark.parametrize("n_samples", [700, 701, 75])
@pytest.mark.parametrize("length", [61, 60])
def test_every_second_sample_tells_the_scores_of_filtered_traces(n_samples: int, length: int) -> None:
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
    # Where scores are missing on one side, the one between two is worse: a tile has more halo than that.
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


def test_pair_overlaps_are_what_a_spike_adds_to_the_scores() -> None:
    model = make_model(make_templates(4))
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    for unit in range(4):
        for shift in range(5):
            traces = np.zeros((4 * N_SAMPLES, N_CHANNELS), np.float32)
            spike = np.zeros(1, MATCH_DTYPE)
            spike["sample_index"], spike["unit_index"], spike["amplitude"] = N_SAMPLES + 20, unit, -1.0
            spike["sample_offset"] = (shift - 2) / 4
            traces = subtract_spikes(
                traces, spike, start=0, n_before=N_BEFORE, shifted_temporal=model["shifted_temporal"],
                spatial=model["spatial"], channels=model["channels"],
            )  # fmt: skip
            scores = correlate_templates(traces, **factors)
            first = N_SAMPLES + 20 - N_BEFORE
            for pair in range(model["pair_starts"][unit], model["pair_starts"][unit + 1]):
                partner = model["pair_units"][pair]
                near = scores[partner, first - N_SAMPLES + 1 : first + N_SAMPLES]
                np.testing.assert_allclose(near, model["pair_overlaps"][pair, shift], atol=2e-3)


def test_units_without_a_common_channel_are_not_paired() -> None:
    templates = np.zeros((3, N_SAMPLES, N_CHANNELS))
    templates[0, 10, :2], templates[1, 10, 1:4], templates[2, 10, 8] = 1, 1, 1
    model = make_model(templates)
    rows = np.split(model["pair_units"], model["pair_starts"][1:-1])
    assert [row.tolist() for row in rows] == [[0, 1], [0, 1], [2]]


def test_noise_gain_is_the_bandwidth() -> None:
    model = make_model(make_templates(4))
    white = np.random.default_rng(0).standard_normal((60001, N_CHANNELS)).astype(np.float32)
    names = ("temporal", "spatial", "channels", "energies")
    factors: Any = {name: model[name] for name in names}  # type: ignore[literal-required]
    assert estimate_noise_gain(white, **factors) == pytest.approx(1.0, abs=0.05)
    smooth = (white[1:] + white[:-1]) / np.sqrt(2)
    assert estimate_noise_gain(smooth, **factors) == pytest.approx(2.0, rel=0.1)


def test_templates_from_another_probe_are_refused() -> None:
    with pytest.raises(ValueError, match="uses channel 5, but the recording has 4 channels"):
        build_match_model(
            temporal=np.ones((1, 1, 4)), spatial=np.ones((1, 1, 1)), channels=np.array([[5]]), n_channels=4
        )
    with pytest.raises(ValueError, match="NaN"):
        build_match_model(
            temporal=np.full((1, 1, 4), np.nan), spatial=np.ones((1, 1, 1)), channels=np.array([[0]]), n_channels=4
        )


def test_shift_matrices_delay_band_limited_waveforms() -> None:
    time = np.arange(40.0)
    operators = shift_matrices(40, steps_per_sample=4)
    wave = np.exp(-0.5 * ((time - 20) / 2.5) ** 2)
    for index, delay in enumerate((-0.5, -0.25, 0, 0.25, 0.5)):
        np.testing.assert_allclose(operators[index] @ wave, np.exp(-0.5 * ((time - 20 - delay) / 2.5) ** 2), atol=2e-3)
