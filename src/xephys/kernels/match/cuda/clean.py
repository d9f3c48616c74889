"""Waveforms of matched spikes without the spikes that overlap them, in a single CUDA kernel.

Each thread takes one sample on one channel of one spike, and subtracts every spike that reaches it, in the order of
time. A spike's own template is subtracted as it was matched, and added back without its sub-sample delay.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import for_numba, n_resident_blocks, tables_of
from xephys.kernels.lib.dispatch import as_it_is, resident
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.match.model import MatchModel

#: Threads per block, and blocks per multiprocessor.
THREADS, BLOCKS_A_PROCESSOR = 128, 16


@cuda.jit(device=True)
def _template(courses, spatial, unit, shift, at, slot):  # type: ignore[no-untyped-def]
    """Value of a template at one sample on one of its channels."""
    value = np.float32(0)
    for rank in range(spatial.shape[1]):
        value += courses[unit, shift, rank, at] * spatial[unit, rank, slot]
    return value


@cuda.jit(device=True)
def _shift(courses, offset):  # type: ignore[no-untyped-def]
    """Number of the template's copy that is shifted by this fraction of a sample."""
    return math.floor(offset * (courses.shape[1] - 1) + 0.5) + courses.shape[1] // 2


@cuda.jit(cache=True)
def _clean(  # type: ignore[no-untyped-def]
    traces, samples, units, offsets, amplitudes, lead, chosen, around, slots, courses, spatial, cleaned
):
    n_chosen, length, n_around = cleaned.shape
    for element in range(cuda.grid(1), n_chosen * length * n_around, cuda.gridsize(1)):
        spike, t, k = element // (length * n_around), element // n_around % length, element % n_around
        channel, own = around[spike, k], chosen + spike
        cleaned[spike, t, k] = 0
        if channel < 0:
            continue
        begin = samples[own] - lead
        value = traces[begin + t, channel]
        other = own
        while other > 0 and samples[other - 1] - lead > begin - length:
            other -= 1
        while other < samples.size and samples[other] - lead < begin + length:
            slot, at = slots[units[other], channel], t - (samples[other] - samples[own])
            if slot >= 0 and 0 <= at < length:
                amplitude = np.float32(amplitudes[other])
                shift = _shift(courses, offsets[other])
                value -= amplitude * _template(courses, spatial, units[other], shift, at, slot)
                if other == own:
                    value += amplitude * _template(courses, spatial, units[own], courses.shape[1] // 2, at, slot)
            other += 1
        cleaned[spike, t, k] = value


def cleaned_windows(
    xp: Any,
    traces: Any,
    spikes: Columns,
    chosen: slice,
    *,
    first: int,
    nbefore: int,
    around: Any,
    model: MatchModel,
    n_threads: int = THREADS,
) -> Any:
    """Waveforms of some spikes, in the window of the templates, without the other spikes.

    Parameters
    ----------
    xp
        Namespace of the arrays: CuPy, or NumPy if Numba simulates a device.
    traces : float32 (sample, channel)
    spikes
        All spikes in the traces, in order of time, with ``sample_index``, ``unit_index``, ``sample_offset`` and
        ``amplitude``.
    chosen
        The spikes, one after another, whose waveforms are wanted; their windows lie inside the traces.
    first : int
        Number of the first sample of the traces.
    nbefore : int
        Samples of a template before the spike.
    around : int (n, k)
        Channels of each chosen spike; -1 for none.
    model
        From `xephys.kernels.match.model.build_match_model`.
    n_threads
        Threads per block.

    Returns
    -------
    float32 (n, sample, k)
        Zero in slots without a channel.
    """
    courses = model["shifted_temporal"]
    cleaned = xp.empty((chosen.stop - chosen.start, courses.shape[3], around.shape[1]), dtype=np.float32)
    if not cleaned.size:
        return cleaned
    n_blocks = n_resident_blocks(BLOCKS_A_PROCESSOR, at_most=-(-cleaned.size // n_threads))
    own = tables_of(xp)
    slots = resident(own, slots_by_channel, model["channels"], n_channels=traces.shape[1])
    tables = slots, resident(own, as_it_is, courses), resident(own, as_it_is, model["spatial"])
    events = for_numba(traces, *(spikes[name] for name in ("sample_index", "unit_index", "sample_offset", "amplitude")))
    _clean[n_blocks, n_threads](*events, first + nbefore, chosen.start, *for_numba(around, *tables, cleaned))
    return cleaned


def slots_by_channel(channels: NDArray[np.int32], *, n_channels: int) -> NDArray[np.int16]:
    """Slot of each channel in each template, (unit, channel); -1 where the template has no such channel.

    Examples
    --------
    >>> slots_by_channel(np.int32([[2, 0], [1, -1]]), n_channels=3).tolist()
    [[1, -1, 0], [-1, 0, -1]]
    """
    slots = np.full((len(channels), n_channels), -1, np.int16)
    unit, slot = np.nonzero(channels >= 0)
    slots[unit, channels[unit, slot]] = slot
    return slots
