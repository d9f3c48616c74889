"""The recursive zero-phase filter as a CUDA kernel: one thread per channel and stretch of time.

A thread runs in over as many samples before its stretch as the filter remembers, just as a tile is filtered from its
halo on. That takes two reads and writes of the traces, where a product of transforms takes dozens, in double precision.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import cuda, float64
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import for_numba, is_simulated
from xephys.kernels.lib.dispatch import resident
from xephys.kernels.preprocess.filter import normalized_sections, sos_halo

#: Length of a stretch. Shorter stretches give more threads, but more samples are processed only to run in.
STRETCH = 512
#: Channels per thread block.
N_THREADS = 64
#: Samples of a channel requested at once: memory takes hundreds of cycles to answer, however many are requested.
AHEAD = 8


@cache
def _kernel(n_sections: int) -> Any:
    """The kernel for a given number of sections, whose states are then held in registers."""
    n_states, n_taps = 2 * n_sections, 4 * n_sections

    @cuda.jit(cache=True)
    def run(source, target, coefficients, gain, first, n_rows, lead, stretch, step):  # type: ignore[no-untyped-def]
        channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if channel >= source.shape[1]:
            return
        states = cuda.local.array(n_states, float64)
        taps = cuda.local.array(n_taps, float64)
        samples = cuda.local.array(AHEAD, float64)
        begin = cuda.blockIdx.y * stretch
        stop = min(begin + stretch, n_rows)
        here = max(begin - lead, -first)
        origin = first if step > 0 else source.shape[0] - 1 - first
        steady = np.float64(source[origin + step * here, channel]) * gain
        for k in range(n_sections):
            for i in range(4):
                taps[4 * k + i] = coefficients[k, i]
            y = steady * (1.0 + taps[4 * k] + taps[4 * k + 1]) / (1.0 - taps[4 * k + 2] - taps[4 * k + 3])
            states[2 * k + 1] = taps[4 * k + 1] * steady + taps[4 * k + 3] * y
            states[2 * k] = y - steady
            steady = y
        while here < stop:
            for i in range(AHEAD):
                samples[i] = np.float64(source[origin + step * min(here + i, stop - 1), channel]) * gain
            for i in range(AHEAD):
                x = samples[i]
                for k in range(n_sections):
                    y = x + states[2 * k]
                    states[2 * k] = taps[4 * k] * x + taps[4 * k + 2] * y + states[2 * k + 1]
                    states[2 * k + 1] = taps[4 * k + 1] * x + taps[4 * k + 3] * y
                    x = y
                at = here + i
                if begin <= at < stop:
                    target[at if step > 0 else n_rows - 1 - at, channel] = x
            here += AHEAD

    return run


def _coefficients(sos: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return normalized_sections(sos)[0]


def sos_filtfilt(xp: Any, traces: Any, *, before: int, after: int, sos: NDArray[np.floating[Any]]) -> Any:
    """As `xephys.kernels.preprocess.filter.sos_filtfilt`, to within what the halo forgets.

    Accepts NumPy arrays if Numba simulates a device.
    """
    rows, n_channels = traces.shape
    n = rows - before - after
    filtered = xp.empty((n, n_channels), dtype=np.float32)
    if not n or not n_channels:
        return filtered
    coefficients, gain, halo = resident(xp, _coefficients, sos), normalized_sections(sos)[1], sos_halo(sos)
    # Forwards to the end, then backwards from there to the first wanted row.
    forward = xp.empty((rows - before, n_channels), dtype=np.float32)
    n_threads = 1 if is_simulated() else N_THREADS
    kernel, columns = _kernel(len(sos)), -(-n_channels // n_threads)
    source, between, target, table = for_numba(traces, forward, filtered, coefficients)
    kernel[(columns, -(-(rows - before) // STRETCH)), n_threads](
        source, between, table, gain, before, rows - before, halo, STRETCH, 1
    )
    kernel[(columns, -(-n // STRETCH)), n_threads](between, target, table, gain, after, n, halo, STRETCH, -1)
    return filtered
