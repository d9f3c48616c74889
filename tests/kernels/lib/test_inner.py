"""Kernels for kernels alone: views of arrays and tuples of arrays work in them, and no array can be made there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from xephys.kernels.lib.inner import inner


class Board(NamedTuple):
    values: NDArray[np.float32]
    sums: NDArray[np.float64]


@inner
def _add_rows(board: Board, first: int) -> int:
    for k in range(first, board.sums.size):
        row = board.values[k]
        for value in row[1:]:
            board.sums[k] += value
    return board.sums.size


@njit
def _sums(values: NDArray[np.float32]) -> NDArray[np.float64]:
    board = Board(values, np.zeros(len(values)))
    _add_rows(board, 1)
    return board.sums


@inner
def _makes_an_array(n: int) -> float:
    return np.zeros(n).sum()


@njit
def _calls_it(n: int) -> float:
    return _makes_an_array(n)


def test_views_and_tuples_of_arrays_are_read_and_written():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(_sums(values), [0, 18, 30])
    for _ in range(1000):  # a reference that is counted once too often or too seldom would free the array
        _sums(values)
    np.testing.assert_array_equal(values, np.arange(12).reshape(3, 4))


def test_a_kernel_that_makes_an_array_does_not_compile():
    with pytest.raises(NumbaError, match="nopython"):
        _calls_it(3)
