"""Snippets, projections, positions and sums of waveforms on a device: gathers, then reductions of what was gathered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.device.records import Columns, on_device, rows_of
from xephys.kernels.dispatch import as_index, as_it_is, resident
from xephys.kernels.localize import check_feature

#: Numbers of a gathered block of waveforms: 64 MB in float32.
GATHERED = 1 << 24


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
    """As `xephys.kernels.waveforms.snippets`."""
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
    neighbours: NDArray[np.int32],
    nbefore: int,
    field: str = "projection",
) -> Columns:
    """As `xephys.kernels.waveforms.project_waveforms`."""
    n_components, length = components.shape
    table = on_device(xp, events)
    rows = rows_of(table, before=before, after=after, start=start, nbefore=nbefore, nafter=length - nbefore)
    taps = resident(xp, as_it_is, components)
    projections = xp.empty((len(rows), neighbours.shape[1], n_components), dtype=np.float32)
    around = resident(xp, as_index, neighbours)[table["channel_index"]]
    for part in _parts(len(rows), length * neighbours.shape[1]):
        waveforms = _gathered(xp, traces, rows[part] - nbefore, around[part], length)
        projections[part] = xp.matmul(taps, waveforms).transpose(0, 2, 1)
    return table.extended(**{field: projections})


def localize_center_of_mass(
    xp: Any,
    traces: Any,
    events: Any,
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbours: NDArray[np.int32],
    feature: str = "ptp",
    window_before: int,
    window_after: int,
) -> Columns:
    """As `xephys.kernels.localize.localize_center_of_mass`."""
    check_feature(feature)
    table = on_device(xp, events)
    rows = rows_of(table, before=before, after=after, start=start, nbefore=window_before, nafter=window_after)
    around = resident(xp, as_index, neighbours)[table["channel_index"]]
    places = resident(xp, as_it_is, positions)
    own = places[table["channel_index"]]
    centers = xp.empty((len(rows), 2), dtype=np.float64)
    first, length = (0, 1) if feature == "peak_voltage" else (window_before, window_before + window_after)
    for part in _parts(len(rows), length * neighbours.shape[1]):
        waveforms = _gathered(xp, traces, rows[part] - first, around[part], length)
        sizes = _sizes(xp, waveforms, feature)
        total = sizes.sum(axis=1)[:, None]
        weighted = (sizes[:, :, None] * places[around[part]]).sum(axis=1)
        centers[part] = xp.where(total > 0, weighted / xp.where(total > 0, total, 1.0), own[part])
    return table.extended(x=centers[:, 0], y=centers[:, 1], z=xp.zeros(len(rows), dtype=np.float64))


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
    n_before: int,
    n_after: int,
) -> tuple[Any, Any]:
    """As `xephys.kernels.templates.accumulate_waveforms`.

    Spikes of one unit are added by a product with a table of zeros and ones: its order is fixed, as that of atomic
    additions is not.
    """
    stop = start + len(traces) - before - after
    first, last = (int(i) for i in np.searchsorted(samples, [start, stop]))
    n_units, n_slots = channels.shape
    length = n_before + n_after
    own = resident(xp, as_index, units)[first:last]
    rows = resident(xp, as_index, samples)[first:last] - (start - before + n_before)
    around = resident(xp, as_index, channels)[own]
    member = (xp.arange(n_units)[:, None] == own).astype(np.float64)
    sums = xp.zeros((n_units, length * n_slots), dtype=np.float64)
    for part in _parts(last - first, length * n_slots):
        waveforms = _gathered(xp, traces, rows[part], around[part], length).astype(np.float64)
        sums += xp.matmul(member[:, part], waveforms.reshape(len(waveforms), -1))
    return sums.reshape(n_units, length, n_slots), member.sum(axis=1).astype(np.int64)


def _parts(n: int, numbers_each: int) -> list[slice]:
    """Slices of ``n`` events, each few enough for their waveforms to be gathered at once."""
    size = max(1, GATHERED // max(1, numbers_each))
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def _gathered(xp: Any, traces: Any, rows: Any, channels: Any, length: int) -> Any:
    """Waveforms (event, sample, slot) from ``rows`` on; zero in slots without a channel."""
    window = rows[:, None] + xp.arange(length)
    waveforms = traces[window[:, :, None], channels[:, None, :]]
    return xp.where(channels[:, None, :] >= 0, waveforms, np.float32(0))


def _sizes(xp: Any, waveforms: Any, feature: str) -> Any:
    """Feature of each event in each slot, as float64."""
    if feature == "ptp":
        return (waveforms.max(axis=1) - waveforms.min(axis=1)).astype(np.float64)
    if feature == "energy":
        return xp.sqrt((waveforms.astype(np.float64) ** 2).sum(axis=1))
    return abs(waveforms[:, 0]).astype(np.float64)
