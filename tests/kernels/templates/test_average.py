"""Templates: streamed sums equal a loop over spikes; sparse and low-rank forms, alignment, similarity."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.templates.average import (
    accumulate_waveforms,
    align_templates,
    low_rank_templates,
    nearest_channels,
    select_channels,
    template_peak_channels,
    template_positions,
    without_weak_ranks,
)

POSITIONS_UM = np.stack([np.tile([0.0, 20.0], 8), np.repeat(np.arange(8) * 20.0, 2)], axis=1)


def sums_by_loop(
    traces: np.ndarray, samples: np.ndarray, units: np.ndarray, channels: np.ndarray, nbefore: int, nafter: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the waveforms of every spike, traces from sample 0."""
    sums = np.zeros((channels.shape[0], nbefore + nafter, channels.shape[1]))
    counts = np.zeros(channels.shape[0], np.int64)
    for sample, unit in zip(samples, units, strict=True):
        waveform = traces[sample - nbefore : sample + nafter].astype(np.float64)
        sums[unit] += np.where(channels[unit] >= 0, waveform[:, channels[unit]], 0)
        counts[unit] += 1
    return sums, counts


def test_partial_sums_add_up_to_a_loop_over_spikes() -> None:
    rng = np.random.default_rng(0)
    traces = rng.standard_normal((3000, 16)).astype(np.float32)
    samples = np.sort(rng.integers(20, 2960, 200))
    units = rng.integers(0, 5, 200)
    channels = nearest_channels(POSITIONS_UM, peak_channels=np.array([0, 3, 8, 12, 15]), n_channels_max=6, radius_um=39)
    padded = np.pad(traces, ((30, 40), (0, 0)))
    parts = [
        accumulate_waveforms(
            padded[first : first + 1000 + 70], before=30, after=40, start=first, samples=samples, units=units,
            channels=channels, nbefore=20, nafter=35,
        )
        for first in (0, 1000, 2000)
    ]  # fmt: skip
    sums, counts = sums_by_loop(traces, samples, units, channels, 20, 35)
    np.testing.assert_allclose(sum(part[0] for part in parts), sums, atol=1e-9)
    np.testing.assert_array_equal(sum(part[1] for part in parts), counts)
    assert (channels < 0).any()


def test_halo_shorter_than_the_waveform_is_refused() -> None:
    with pytest.raises(ValueError, match="halo of 5 \\+ 40 samples is shorter"):
        accumulate_waveforms(
            np.zeros((100, 2), np.float32), before=5, after=40, start=0, samples=np.zeros(0, np.int64),
            units=np.zeros(0, np.int64), channels=np.zeros((1, 1), np.int32), nbefore=6, nafter=10,
        )  # fmt: skip


def test_no_spikes_sum_to_zero() -> None:
    sums, counts = accumulate_waveforms(
        np.ones((100, 2), np.float32), before=10, after=10, start=0, samples=np.array([5000]), units=np.array([0]),
        channels=np.zeros((3, 1), np.int32), nbefore=5, nafter=5,
    )  # fmt: skip
    assert not sums.any() and not counts.any() and counts.shape == (3,)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_low_rank_error_is_that_of_the_svd(rank: int) -> None:
    templates = np.random.default_rng(1).standard_normal((3, 20, 9))
    temporal, spatial = low_rank_templates(templates, rank=rank)
    error = np.square(templates - np.einsum("urt,urk->utk", temporal, spatial)).sum(axis=(1, 2))
    left_out = np.array([np.square(np.linalg.svd(one)[1][rank:]).sum() for one in templates])
    np.testing.assert_allclose(error, left_out, rtol=1e-5)


def test_low_rank_is_exact_at_full_rank_and_signs_are_fixed() -> None:
    templates = np.random.default_rng(2).standard_normal((4, 15, 5))
    temporal, spatial = low_rank_templates(templates, rank=9)
    assert temporal.shape == (4, 5, 15)
    np.testing.assert_allclose(np.einsum("urt,urk->utk", temporal, spatial), templates, atol=1e-5)
    largest = np.take_along_axis(spatial, np.abs(spatial).argmax(axis=2)[:, :, None], axis=2)
    assert (largest > 0).all()
    flipped_temporal, flipped_spatial = low_rank_templates(-templates, rank=9)
    np.testing.assert_allclose(flipped_spatial, spatial, atol=1e-5)
    np.testing.assert_allclose(flipped_temporal, -temporal, atol=1e-5)


def test_weak_ranks_are_dropped_and_the_rest_explains_as_much() -> None:
    rng = np.random.default_rng(3)
    shapes = np.linalg.qr(rng.standard_normal((40, 3)))[0].T
    patterns = np.linalg.qr(rng.standard_normal((12, 3)))[0].T
    # Of the singular values 30, 4 and 0.5, the last changes the gain of a spike by a quarter of the noise variance.
    template = np.einsum("r,rt,rk->tk", [30.0, 4.0, 0.5], shapes, patterns)
    noisy = template + rng.standard_normal((40, 12)) / np.sqrt(1000)
    few = np.einsum("r,rt,rk->tk", [30.0, 0.0, 0.0], shapes, patterns) + rng.standard_normal((40, 12)) / np.sqrt(20)
    temporal, spatial = low_rank_templates(np.stack([noisy, few]), rank=5)
    short, weights = without_weak_ranks(temporal, spatial, counts=np.array([1000, 20]))
    assert short.shape[1] == weights.shape[1] == 2
    assert weights[0].any(axis=1).tolist() == [True, True]
    assert weights[1].any(axis=1).tolist() == [True, False], "a second rank of 20 spikes is averaged noise"
    np.testing.assert_array_equal(weights[0], spatial[0, :2])
    rebuilt = np.einsum("rt,rk->tk", short[0], weights[0])
    assert ((rebuilt - template) ** 2).sum() < ((noisy - template) ** 2).sum(), "what went was mostly noise"


def test_the_first_rank_stays() -> None:
    temporal, spatial = low_rank_templates(np.full((1, 4, 2), 1e-3), rank=2)
    assert without_weak_ranks(temporal, spatial, counts=np.array([1]))[1][0, 0].any()


def test_rank_must_be_positive() -> None:
    with pytest.raises(ValueError, match="rank is 0"):
        low_rank_templates(np.ones((1, 4, 2)), rank=0)


def test_empty_template_sets_pass_through() -> None:
    none = np.zeros((0, 10, 4))
    no_slots = np.zeros((0, 4), np.int32)
    assert low_rank_templates(none, rank=3)[0].shape == (0, 3, 10)
    assert select_channels(none, channels=no_slots, n_channels_max=2)[0].shape == (0, 10, 2)
    assert template_peak_channels(none, channels=no_slots).shape == (0,)
    assert align_templates(none, channels=no_slots, nbefore=3, shift_samples_max=2)[1].shape == (0,)


def test_a_silent_template_has_no_channel_and_no_place() -> None:
    silent = np.zeros((1, 10, 3))
    channels = np.array([[4, 5, -1]], np.int32)
    assert template_peak_channels(silent, channels=channels).tolist() == [-1]
    assert (select_channels(silent, channels=channels, n_channels_max=3)[1] == -1).all()
    assert np.isnan(template_positions(silent, channels=channels, positions_um=POSITIONS_UM)).all()


def test_few_spikes_keep_fewer_channels() -> None:
    """Channels with averaged noise alone are dropped, whether 10 or 10000 spikes were averaged."""
    rng = np.random.default_rng(3)
    clean = np.zeros((2, 60, 16))
    clean[:, 20:30, :4] = -8.0
    counts = np.array([10, 10000])
    noisy = clean + rng.standard_normal(clean.shape) / np.sqrt(counts)[:, None, None]
    channels = np.broadcast_to(np.arange(16, dtype=np.int32), (2, 16))
    _, slots = select_channels(noisy, channels=channels, n_channels_max=16, counts=counts)
    for row in slots:
        assert sorted(row[row >= 0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("shift", [-4, -1, 0, 3, 5])
def test_alignment_finds_the_trough(shift: int) -> None:
    template = np.zeros((1, 40, 2))
    template[0, 15 + shift, 1], template[0, 18 + shift, 1], template[0, 10, 0] = -9.0, 4.0, -3.0
    aligned, shifts = align_templates(template, channels=np.array([[3, 8]], np.int32), nbefore=15, shift_samples_max=5)
    assert shifts.tolist() == [shift]
    assert aligned[0, :, 1].argmin() == 15
    assert template_peak_channels(aligned, channels=np.array([[3, 8]], np.int32)).tolist() == [8]
