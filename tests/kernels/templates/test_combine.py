"""Combined waveforms equal the same sums written out on all channels."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.templates.combine import color_waveforms, dense_waveforms, merge_waveforms

N_CHANNELS, N_SAMPLES, N_SLOTS = 7, 9, 4


@pytest.fixture(scope="module")
def kept():
    """Three templates on four channels each, one slot of the last one empty."""
    rng = np.random.default_rng(0)
    waveforms = rng.standard_normal((3, N_SAMPLES, N_SLOTS)).astype(np.float32)
    channels = np.array([[2, 1, 3, 0], [4, 3, 5, 2], [6, 5, 4, -1]], np.int32)
    waveforms[2, :, 3] = 0
    return waveforms, channels


def test_dense_waveforms_have_each_value_at_its_channel(kept):
    waveforms, channels = kept
    dense = dense_waveforms(waveforms, channels, n_channels=N_CHANNELS)
    assert dense.shape == (3, N_SAMPLES, N_CHANNELS) and dense.dtype == np.float32
    for unit in range(3):
        for channel in range(N_CHANNELS):
            slot = np.flatnonzero(channels[unit] == channel)
            expected = waveforms[unit, :, slot[0]] if slot.size else np.zeros(N_SAMPLES)
            np.testing.assert_array_equal(dense[unit, :, channel], expected)


def test_colored_waveforms_are_those_that_the_matrix_makes_white(kept):
    waveforms, channels = kept
    matrix = np.random.default_rng(1).standard_normal((N_CHANNELS, N_CHANNELS)).astype(np.float32)
    matrix[1] = matrix[:, 1] = 0  # a channel that the whitening leaves out
    for unit, slots in enumerate(channels):
        used = [slot for slot, channel in enumerate(slots) if channel not in (-1, 1)]
        square = matrix[np.ix_(slots[used], slots[used])]
        filtered = np.zeros((N_SAMPLES, N_SLOTS))
        filtered[:, used] = waveforms[unit][:, used]
        white = np.zeros_like(waveforms)
        white[unit][:, used] = filtered[:, used] @ square.T
        found = color_waveforms(white, channels, matrix, n_nearest=N_SLOTS)
        np.testing.assert_allclose(found[unit], filtered, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(color_waveforms(white, channels, matrix, n_nearest=2), found[:, :, :2])


def test_the_smallest_waveform_is_found_if_channels_cannot_be_told_apart():
    matrix = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    white = np.array([[[2.0, 2.0, 6.0]]])
    found = color_waveforms(white, np.array([[0, 1, 2]]), matrix, n_nearest=3)
    np.testing.assert_allclose(found, [[[1.0, 1.0, 3.0]]], rtol=1e-6)


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_a_unit_is_the_weighted_mean_of_its_aligned_templates(kept, shift):
    waveforms, channels = kept
    unit = {
        "unit_of_template": np.array([0, 0, -1]),
        "template_of_unit": np.array([0]),
        "sample_shift": np.array([0, shift, 0]),
    }
    merged = merge_waveforms(waveforms, channels, n_channels=N_CHANNELS, num_spikes=np.array([30, 10, 99]), **unit)
    dense = dense_waveforms(waveforms, channels, n_channels=N_CHANNELS)
    for slot, channel in enumerate(channels[0]):
        for sample in range(N_SAMPLES):
            inside = 0 <= sample + shift < N_SAMPLES  # spikes moved later come earlier in their window
            second = dense[1, sample + shift, channel] if inside else 0.0
            mean = 0.75 * dense[0, sample, channel] + 0.25 * second
            assert merged[0, sample, slot] == pytest.approx(mean, abs=1e-6)


def test_unmerged_templates_are_unchanged(kept):
    waveforms, channels = kept
    alone = {
        "unit_of_template": np.array([1, -1, 0]),
        "template_of_unit": np.array([2, 0]),
        "sample_shift": np.zeros(3, int),
    }
    merged = merge_waveforms(waveforms, channels, n_channels=N_CHANNELS, num_spikes=np.zeros(3, int), **alone)
    np.testing.assert_array_equal(merged, waveforms[[2, 0]])
