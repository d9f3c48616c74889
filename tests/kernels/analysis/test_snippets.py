"""Waveforms cut out of a tile."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.analysis.snippets import cut_waveforms, filled_slots, inside_rows, sum_waveforms, values_at

GAINS, OFFSETS = np.float32([0.5, 2, 3, 0.1, 7]), np.float32([0, 1, -2, 0.3, 0])


@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_windows_equal_slices(dtype: str) -> None:
    rng = np.random.default_rng(0)
    traces = rng.integers(-99, 99, (60, 5)).astype(dtype)
    channels = np.array([[3, 0, -1], [4, -1, -1]], np.int32)
    rows, units = np.array([1, 30, 58]), np.array([0, 1, 0])
    found = cut_waveforms(traces, GAINS, OFFSETS, rows, units, channels, 4, 6, 2, 57)
    assert found.dtype == np.float32
    live = np.zeros_like(traces, dtype=np.float32)
    live[2:57] = traces[2:57].astype(np.float32) * GAINS + OFFSETS
    live = np.pad(live, ((10, 10), (0, 0)))
    for i, (row, unit) in enumerate(zip(rows, units, strict=True)):
        for k, channel in enumerate(channels[unit]):
            expected = live[row + 6 : row + 16, channel] if channel >= 0 else np.zeros(10)
            np.testing.assert_array_equal(found[i, :, k], expected)


@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_sums_equal_those_of_the_windows(dtype: str) -> None:
    rng = np.random.default_rng(1)
    traces = rng.integers(-99, 99, (60, 5)).astype(dtype)
    channels = np.array([[3, 0, -1], [-1, 4, -1], [1, 2, 3], [0, -1, -1]], np.int32)
    rows, units = np.sort(rng.integers(0, 60, 40)), rng.integers(0, 3, 40)
    cut = GAINS, OFFSETS, rows, units, channels, 4, 6, 2, 57
    sums, squares, counts = sum_waveforms(traces, *cut, True)
    assert len(sums) == len(squares) == 10 * (channels >= 0).sum()
    windows = cut_waveforms(traces, *cut).astype(float)
    for unit in range(4):
        own = windows[units == unit]
        np.testing.assert_array_equal(filled_slots(sums, channels, 10)[unit], own.sum(axis=0))
        np.testing.assert_array_equal(filled_slots(squares, channels, 10)[unit], (own**2).sum(axis=0))
        assert counts[unit] == len(own)
    again, nothing, _ = sum_waveforms(traces, *cut, False)
    np.testing.assert_array_equal(again, sums)
    assert not len(nothing)


def test_values_outside_are_zero() -> None:
    traces = np.arange(12, dtype=np.float32).reshape(6, 2)
    found = values_at(
        traces, np.float32([2, 3]), np.float32([0, 1]), np.array([-1, 0, 5, 7]), np.array([1, 1, 0, 0]), 0, 5
    )
    assert found.tolist() == [0.0, 4.0, 0.0, 0.0]


def test_rows_of_the_recording() -> None:
    assert inside_rows(100, first_row=50, first_sample=0, stop_sample=1000) == (0, 100)
    assert inside_rows(100, first_row=950, first_sample=0, stop_sample=1000) == (0, 50)
