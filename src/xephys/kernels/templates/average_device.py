"""Sums of waveforms on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.lib.gather_device import event_parts, gathered_windows


def accumulate_waveforms(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    samples: NDArray[np.int64],
    units: NDArray[np.integer],
    channels: NDArray[np.int32],
    nbefore: int,
    nafter: int,
) -> tuple[Any, Any]:
    """As `xephys.kernels.templates.average.accumulate_waveforms`.

    Spikes of one unit are added by a product with a table of zeros and ones, whose order is fixed, unlike that of
    atomic additions.
    """
    stop = start + len(traces) - before - after
    first, last = (int(i) for i in np.searchsorted(samples, [start, stop]))
    n_units, n_slots = channels.shape
    length = nbefore + nafter
    own = resident(xp, as_index, units)[first:last]
    rows = resident(xp, as_index, samples)[first:last] - (start - before + nbefore)
    around = resident(xp, as_index, channels)[own]
    member = (xp.arange(n_units)[:, None] == own).astype(np.float64)
    sums = xp.zeros((n_units, length * n_slots), dtype=np.float64)
    for part in event_parts(last - first, length * n_slots):
        waveforms = gathered_windows(xp, traces, rows[part], around[part], length).astype(np.float64)
        sums += xp.matmul(member[:, part], waveforms.reshape(len(waveforms), -1))
    return sums.reshape(n_units, length, n_slots), member.sum(axis=1).astype(np.int64)
