"""Vectors inside compiled functions: each operation equals NumPy's, lane by lane."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from xephys.kernels.lib import lanes

load_f32, load_f64, store = lanes.load_f32, lanes.load_f64, lanes.store
splat_f32, fma, add, subtract = lanes.splat_f32, lanes.fma, lanes.add, lanes.subtract
multiply = lanes.multiply
smaller, larger, where_less, where_nan = lanes.smaller, lanes.larger, lanes.where_less, lanes.where_nan
sum_lanes, smallest_lane, largest_lane = lanes.sum_lanes, lanes.smallest_lane, lanes.largest_lane
count_less, transpose = lanes.count_less, lanes.transpose
lanes_less, lowest_lane = lanes.lanes_less, lanes.lowest_lane


@njit
def combined(a, b, out):
    x, y = load_f32(a, 0), load_f32(b, 0)
    store(out, 0, add(x, y))
    store(out, 16, subtract(x, y))
    store(out, 32, smaller(x, y))
    store(out, 48, larger(x, y))
    store(out, 64, fma(x, y, splat_f32(np.float32(2.0))))
    store(out, 80, where_less(x, y, splat_f32(np.float32(1.0)), splat_f32(np.float32(-1.0))))
    store(out, 96, where_nan(x, splat_f32(np.float32(7.0)), x))
    store(out, 112, multiply(x, y))
    return sum_lanes(x), smallest_lane(x), largest_lane(x), count_less(x, y)


@njit
def lanes_in_order(a, b, found):
    bits, n = lanes_less(load_f32(a, 0), load_f32(b, 0)), 0
    while bits:
        found[n] = lowest_lane(bits)
        bits &= bits - 1
        n += 1
    return n


@njit
def widened(source, out):
    store(out, 0, load_f64(source, 3))


@njit
def turned(source, target):
    transpose(source, 0, 16, target, 0, 16)


@njit
def fetched(source, index):
    lanes.prefetch(source, index)
    return source[0]


def test_fetching_ahead_changes_nothing_even_outside_the_array():
    source = np.arange(4, dtype=np.int16)
    assert [fetched(source, index) for index in (0, 3, -(10**9), 10**9)] == [0] * 4
    np.testing.assert_array_equal(source, np.arange(4))


def test_operations_are_those_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-50, 50, (2, 16)).astype(np.float32)
    out = np.zeros(128, np.float32)
    assert combined(a, b, out) == (a.sum(), a.min(), a.max(), (a < b).sum())
    expected = [a + b, a - b, np.minimum(a, b), np.maximum(a, b), a * b + 2, np.where(a < b, 1, -1), a, a * b]
    np.testing.assert_array_equal(out.reshape(8, 16), expected)


@pytest.mark.parametrize("seed", range(3))
def test_lanes_that_are_less_are_listed_in_order(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 16)).astype(np.float32)
    a[3], a[15] = np.nan, b[15] - 1  # NaN is not less; the last lane is the highest bit
    found = np.zeros(16, np.int64)
    n = lanes_in_order(a, b, found)
    assert found[:n].tolist() == np.flatnonzero(a < b).tolist()


def test_nan_is_handled_as_documented():
    a, b = np.ones(16, np.float32), np.full(16, 2.0, np.float32)
    a[5] = np.nan
    out = np.zeros(128, np.float32)
    combined(a, b, out)
    rows = out.reshape(8, 16)
    assert rows[2, 5] == rows[3, 5] == 2.0  # the second operand, if either is NaN
    assert rows[6].tolist() == [7.0 if k == 5 else 1.0 for k in range(16)]


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "f4", "f8"])
def test_any_type_is_loaded(dtype):
    source, out = np.arange(40_000, 40_020).astype(dtype), np.zeros(8)
    widened(source, out)
    np.testing.assert_array_equal(out, source[3:11].astype(float))


def test_a_transposed_block():
    source, target = np.arange(256, dtype=np.float32).reshape(16, 16), np.zeros((16, 16), np.float32)
    turned(source, target)
    np.testing.assert_array_equal(target, source.T)
