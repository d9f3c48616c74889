"""Values at every sample from those at every second one, in a single CUDA kernel.

As operations on whole arrays, the interpolation costs eighty launches a tile, more than all of the rest of matching.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from xephys.kernels.lib.cuda import for_numba, n_resident_blocks

#: Threads per block, and blocks per multiprocessor.
THREADS, BLOCKS_A_PROCESSOR = 128, 16


@cuda.jit(cache=True)
def _interleave(coarse, weights, both):  # type: ignore[no-untyped-def]
    n_rows, n_coarse = coarse.shape
    n_fine = both.shape[1]
    for element in range(cuda.grid(1), n_rows * n_coarse, cuda.gridsize(1)):
        row, at = element // n_coarse, element % n_coarse
        if 2 * at < n_fine:
            both[row, 2 * at] = coarse[row, at]
        if 2 * at + 1 < n_fine:
            between = np.float32(0)
            for k in range(weights.size):
                early, late = coarse[row, max(at - k, 0)], coarse[row, min(at + k + 1, n_coarse - 1)]
                between += weights[k] * (early + late)
            both[row, 2 * at + 1] = between


def interleaved(xp: Any, coarse: Any, weights: Any, n_fine: int, *, n_threads: int = THREADS) -> Any:
    """Rows of samples with the values between them.

    Parameters
    ----------
    xp
        Namespace of the arrays: CuPy, or NumPy if Numba simulates a device.
    coarse : float32 (row, sample)
        Contiguous.
    weights : float32 (k,)
        The device's own: weights of the samples on either side of a value, nearest first.
    n_fine : int
        At most twice the number of samples.
    n_threads
        Threads per block.

    Returns
    -------
    float32 (row, n_fine)
        Contiguous.
    """
    both = xp.empty((len(coarse), n_fine), dtype=np.float32)
    if both.size:
        n_blocks = n_resident_blocks(BLOCKS_A_PROCESSOR, at_most=-(-coarse.size // n_threads))
        _interleave[n_blocks, n_threads](*for_numba(coarse, weights, both))
    return both
