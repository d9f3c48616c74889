"""Center of mass of peaks on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_index, as_it_is, resident
from xephys.kernels.lib.gather_device import event_parts, gathered_windows
from xephys.kernels.lib.records_device import Columns, on_device, rows_of
from xephys.kernels.localize.channel_features import check_feature


def localize_center_of_mass(
    xp: Any,
    traces: Any,
    events: Any,
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    feature: str = "ptp",
    nbefore: int,
    nafter: int,
) -> Columns:
    """As `xephys.kernels.localize.center_of_mass.localize_center_of_mass`."""
    check_feature(feature)
    table = on_device(xp, events)
    rows = rows_of(table, before=before, after=after, start=start, nbefore=nbefore, nafter=nafter)
    around = resident(xp, as_index, neighbors)[table["channel_index"]]
    places = resident(xp, as_it_is, positions)
    own = places[table["channel_index"]]
    centers = xp.empty((len(rows), 2), dtype=np.float64)
    first, length = (0, 1) if feature == "peak_voltage" else (nbefore, nbefore + nafter)
    for part in event_parts(len(rows), length * neighbors.shape[1]):
        waveforms = gathered_windows(xp, traces, rows[part] - first, around[part], length)
        sizes = _sizes(xp, waveforms, feature)
        total = sizes.sum(axis=1)[:, None]
        weighted = (sizes[:, :, None] * places[around[part]]).sum(axis=1)
        seen = total > 0
        centers[part] = xp.where(seen, weighted / xp.where(seen, total, 1.0), own[part])
    return table.extended(x=centers[:, 0], y=centers[:, 1], z=xp.zeros(len(rows), dtype=np.float64))


def _sizes(xp: Any, waveforms: Any, feature: str) -> Any:
    """Feature of each event in each slot, as float64."""
    if feature == "ptp":
        return (waveforms.max(axis=1) - waveforms.min(axis=1)).astype(np.float64)
    if feature == "energy":
        return xp.sqrt((waveforms.astype(np.float64) ** 2).sum(axis=1))
    return abs(waveforms[:, 0]).astype(np.float64)
