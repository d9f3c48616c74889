"""The spikes of a tile's core in order, from the tables that the pursuit leaves: two CUDA kernels around one sort.

As operations on whole arrays, this costs thirty launches, each on a few hundred spikes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import for_numba, n_resident_blocks, tables_of
from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.match.cuda.pursuit import Taken
from xephys.kernels.match.cuda.rounds import AMPLITUDE, GAIN, SAMPLE, SHIFT, UNIT

#: Threads per block, and blocks per multiprocessor.
THREADS, BLOCKS_A_PROCESSOR = 128, 1
#: Key of a spike outside the core, which comes after all others.
LAST = np.iinfo(np.int64).max
#: Rows of the columns of integers, and of those of floating-point numbers.
INTEGERS = ("sample_index", "channel_index", "segment_index", "unit_index")
REALS = ("amplitude", "sample_offset", "gain")
#: The columns in the order of the records of the other twins.
ORDER = ("sample_index", "channel_index", "amplitude", "segment_index", "unit_index", "sample_offset", "gain")


@cuda.jit(cache=True)
def _make_keys(whole, peak_channels, n_channels, offset, n_core, keys, count):  # type: ignore[no-untyped-def]
    """Keys that sort the spikes of the core by sample, channel and unit, and the number of these spikes."""
    n_units = peak_channels.size
    for spike in range(cuda.grid(1), keys.size, cuda.gridsize(1)):
        unit, row = np.int64(whole[UNIT, spike]), whole[SAMPLE, spike] + offset
        keys[spike] = LAST
        if 0 <= row < n_core:
            keys[spike] = (row * n_channels + peak_channels[unit]) * n_units + unit
            cuda.atomic.add(count, 0, 1)


@cuda.jit(cache=True)
def _collect(whole, real, order, peak_channels, first, n_shifts, integers, reals):  # type: ignore[no-untyped-def]
    for place in range(cuda.grid(1), integers.shape[1], cuda.gridsize(1)):
        spike = order[place]
        unit = np.int64(whole[UNIT, spike])
        integers[0, place] = whole[SAMPLE, spike] + first
        integers[1, place] = peak_channels[unit]
        integers[2, place] = 0
        integers[3, place] = unit
        reals[0, place] = real[AMPLITUDE, spike]
        reals[1, place] = (whole[SHIFT, spike] - n_shifts // 2) / np.float64(max(n_shifts - 1, 1))
        reals[2, place] = real[GAIN, spike]


def spikes_in_order(
    xp: Any,
    taken: Taken,
    *,
    peak_channels: NDArray[np.integer[Any]],
    n_channels: int,
    n_shifts: int,
    offset: int,
    n_core: int,
    start: int,
    n_threads: int = THREADS,
) -> Columns:
    """The spikes whose row lies in the core, by sample, channel and unit.

    Parameters
    ----------
    xp
        Namespace of the arrays: CuPy, or NumPy if Numba simulates a device.
    taken
        From `xephys.kernels.match.cuda.pursuit.take_spikes`.
    peak_channels : (unit,)
    n_channels, n_shifts
        Numbers of channels of the traces, and of sub-sample shifts of a template.
    offset
        What to add to a spike's sample for its row in the core.
    n_core
        Number of rows of the core.
    start
        Number of the first sample of the core.
    n_threads
        Threads per block.
    """
    n_blocks = n_resident_blocks(BLOCKS_A_PROCESSOR, at_most=max(1, -(-taken.n_spikes // n_threads)))
    channels = resident(tables_of(xp), as_index, peak_channels)
    keys, count = xp.empty(taken.n_spikes, dtype=np.int64), xp.zeros(1, dtype=np.int32)
    whole, real = for_numba(taken.whole, taken.real)
    if taken.n_spikes:
        _make_keys[n_blocks, n_threads](whole, channels, n_channels, offset, n_core, *for_numba(keys, count))
    n = int(count[0]) if taken.n_spikes else 0
    integers, reals = xp.empty((len(INTEGERS), n), dtype=np.int64), xp.empty((len(REALS), n), dtype=np.float64)
    if n:
        order = xp.argsort(keys, kind="stable")
        outputs = for_numba(integers, reals)
        _collect[n_blocks, n_threads](whole, real, *for_numba(order), channels, start + offset, n_shifts, *outputs)
    columns = {**dict(zip(INTEGERS, _rows(integers), strict=True)), **dict(zip(REALS, _rows(reals), strict=True))}
    return Columns({name: columns[name] for name in ORDER})


def _rows(table: Any) -> list[Any]:
    return [table[row] for row in range(table.shape[0])]
