"""Snippets, projections, positions and sums of waveforms on a device: gather windows, then reduce them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_index, as_it_is, resident
from xephys.kernels.lib.gather_device import event_parts, gathered_windows
from xephys.kernels.lib.records_device import Columns, on_device, rows_of


def snippets(
    xp: Any,
    traces: Any,
    events: Any,
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    nafter: int,
    field: str = "waveform",
) -> Columns:
    """As `xephys.kernels.features.waveforms.snippets`."""
    table = on_device(xp, events)
    rows = rows_of(table, before=before, after=after, start=start, nbefore=nbefore, nafter=nafter)
    window = rows[:, None] + xp.arange(-nbefore, nafter)
    return table.extended(**{field: traces[window, table["channel_index"][:, None]]})


def project_waveforms(
    xp: Any,
    traces: Any,
    events: Any,
    *,
    before: int,
    after: int,
    start: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    nbefore: int,
    field: str = "projection",
) -> Columns:
    """As `xephys.kernels.features.waveforms.project_waveforms`."""
    n_components, length = components.shape
    table = on_device(xp, events)
    rows = rows_of(table, before=before, after=after, start=start, nbefore=nbefore, nafter=length - nbefore)
    taps = resident(xp, as_it_is, components)
    projections = xp.empty((len(rows), neighbors.shape[1], n_components), dtype=np.float32)
    around = resident(xp, as_index, neighbors)[table["channel_index"]]
    for part in event_parts(len(rows), length * neighbors.shape[1]):
        waveforms = gathered_windows(xp, traces, rows[part] - nbefore, around[part], length)
        projections[part] = xp.matmul(taps, waveforms).transpose(0, 2, 1)
    return table.extended(**{field: projections})
