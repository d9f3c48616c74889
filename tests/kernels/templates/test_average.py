"""Streamed sums equal a loop over spikes; alignment, peak channels and places of templates."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.templates.average import (
    accumulate_waveforms,
    align_templates,
    nearest_channels,
    template_peak_channels,
    template_positions,
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


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_runs_of_channels_and_scattered_ones_are_summed_to_the_bit(dtype: type) -> None:
    """Sums of float32 samples depend on their order, which is that of time wherever a channel is among the slots."""
    rng = np.random.default_rng(1)
    traces = (1000 * rng.standard_normal((2000, 60))).astype(dtype)
    samples, units = np.sort(rng.integers(20, 1960, 300)), rng.integers(0, 4, 300)
    channels = np.full((5, 43), -1, np.int32)  # the last unit has no spikes
    channels[0] = rng.permutation(60)[:43]
    channels[1, :35] = rng.permutation(np.arange(20, 55))
    channels[2, :8] = np.arange(8)[::-1]
    channels[3, 5:7] = 59, 0
    sums, counts = accumulate_waveforms(
        traces, before=0, after=0, start=0, samples=samples, units=units, channels=channels, nbefore=0, nafter=1
    )
    around, _ = accumulate_waveforms(
        traces, before=20, after=40, start=20, samples=samples, units=units, channels=channels, nbefore=20, nafter=35
    )
    expected, num_spikes = sums_by_loop(traces, samples, units, channels, 20, 35)
    np.testing.assert_array_equal(around, expected)
    np.testing.assert_array_equal(sums[:, 0], expected[:, 20])
    np.testing.assert_array_equal(counts, num_spikes)


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


def test_empty_template_sets_pass_through() -> None:
    none = np.zeros((0, 10, 4))
    no_slots = np.zeros((0, 4), np.int32)
    assert template_peak_channels(none, channels=no_slots).shape == (0,)
    assert align_templates(none, channels=no_slots, nbefore=3, shift_samples_max=2)[1].shape == (0,)


def test_a_silent_template_has_no_channel_and_no_place() -> None:
    silent = np.zeros((1, 10, 3))
    channels = np.array([[4, 5, -1]], np.int32)
    assert template_peak_channels(silent, channels=channels).tolist() == [-1]
    assert np.isnan(template_positions(silent, channels=channels, positions_um=POSITIONS_UM)).all()


@pytest.mark.parametrize("shift", [-4, -1, 0, 3, 5])
def test_alignment_finds_the_trough(shift: int) -> None:
    template = np.zeros((1, 40, 2))
    template[0, 15 + shift, 1], template[0, 18 + shift, 1], template[0, 10, 0] = -9.0, 4.0, -3.0
    aligned, shifts = align_templates(template, channels=np.array([[3, 8]], np.int32), nbefore=15, shift_samples_max=5)
    assert shifts.tolist() == [shift]
    assert aligned[0, :, 1].argmin() == 15
    assert template_peak_channels(aligned, channels=np.array([[3, 8]], np.int32)).tolist() == [8]
