"""Rounding to a step: half to even, clipped at the largest number, with an error of at most half a step elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.quantize import quantize


@pytest.mark.parametrize("step", [1 / 64, 0.5, 3.0])
def test_the_error_is_at_most_half_a_step(step):
    traces = np.random.default_rng(0).normal(0, 100 * step, (500, 7)).astype(np.float32)
    numbers = quantize(traces, step=step)
    assert numbers.dtype == np.int16
    assert np.abs(numbers * step - traces).max() <= 0.5001 * step
    assert np.array_equal(numbers, np.rint(traces * np.float32(1 / step)).astype(np.int16))


def test_halo_rows_are_left_out_and_extremes_cut():
    traces = np.array([[1], [1e9], [-1e9], [2]], np.float32)
    assert quantize(traces, before=1, after=1, step=1.0)[:, 0].tolist() == [32767, -32767]
