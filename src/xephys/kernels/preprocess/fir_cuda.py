"""Filters of finite length in a single CUDA kernel: each value is a weighted sum of the rows around it.

As operations on whole arrays, they cost two or three launches for each weight, each of which reads and writes a tile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from xephys.kernels.lib.cuda import for_numba, n_resident_blocks

#: Threads per block, and blocks per multiprocessor.
THREADS, BLOCKS_A_PROCESSOR = 128, 16


@cuda.jit(cache=True)
def _weigh_rows(traces, first, weights, weighted):  # type: ignore[no-untyped-def]
    n_rows, n_channels = weighted.shape
    for element in range(cuda.grid(1), n_rows * n_channels, cuda.gridsize(1)):
        row, channel = element // n_channels, element % n_channels
        filter_of_channel = channel if weights.shape[1] > 1 else 0
        value = np.float32(0)
        for tap in range(weights.shape[0]):
            value += np.float32(traces[first + row + tap, channel]) * weights[tap, filter_of_channel]
        weighted[row, channel] = value


def weighted_rows(xp: Any, traces: Any, weights: Any, *, first: int, n: int, n_threads: int = THREADS) -> Any:
    """Sums of rows around each of ``n`` rows.

    Parameters
    ----------
    xp
        Namespace of the arrays: CuPy, or NumPy if Numba simulates a device.
    traces : (sample, channel)
        Of any type of numbers.
    weights : float32 (tap, channel) or (tap, 1)
        The device's own. Row k of the result is the sum of rows ``first + k + tap``.
    first, n : int
        Row of the first weight for the first sum, and number of sums.
    n_threads
        Threads per block.

    Returns
    -------
    float32 (n, channel)
    """
    weighted = xp.empty((n, traces.shape[1]), dtype=np.float32)
    if weighted.size:
        n_blocks = n_resident_blocks(BLOCKS_A_PROCESSOR, at_most=-(-weighted.size // n_threads))
        source, taps, target = for_numba(traces, weights, weighted)
        _weigh_rows[n_blocks, n_threads](source, first, taps, target)
    return weighted
