"""Scores and the model of matching equal the sums that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import N_BEFORE, N_CHANNELS, N_SAMPLES, make_model, make_templates
from xephys.kernels.match.model import build_match_model, shift_matrices
from xephys.kernels.match.scores import correlate_templates
from xephys.kernels.match.templates import MATCH_DTYPE, subtract_spikes


def test_pair_overlaps_are_the_contribution_of_a_spike_to_the_scores() -> None:
    model = make_model(make_templates(4))
    factors = {name: model[name] for name in ("temporal", "spatial", "channels")}  # type: ignore[literal-required]
    for unit in range(4):
        for shift in range(5):
            traces = np.zeros((4 * N_SAMPLES, N_CHANNELS), np.float32)
            spike = np.zeros(1, MATCH_DTYPE)
            spike["sample_index"], spike["unit_index"], spike["amplitude"] = N_SAMPLES + 20, unit, -1.0
            spike["sample_offset"] = (shift - 2) / 4
            traces = subtract_spikes(
                traces, spike, start=0, nbefore=N_BEFORE, model=model
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


def test_blocks_of_units_in_any_order_give_the_same_model():
    rng = np.random.default_rng(3)
    factors = {"temporal": rng.standard_normal((5, 2, 12)), "spatial": rng.standard_normal((5, 2, 3))}
    channels = rng.permuted(np.tile(np.arange(6), (5, 1)), axis=1)[:, :3]
    whole = build_match_model(**factors, channels=channels, n_channels=6)

    def backwards(func, blocks):
        return [func(block) for block in blocks[::-1]]

    blocks = [slice(0, 2), slice(2, 3), slice(3, 5)]
    parts = build_match_model(**factors, channels=channels, n_channels=6, each=backwards, blocks=blocks)
    assert np.abs(whole["pair_overlaps"]).max() > 0
    np.testing.assert_array_equal(parts["pair_overlaps"], whole["pair_overlaps"])
