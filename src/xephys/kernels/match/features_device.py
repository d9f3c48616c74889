"""Features of matched spikes on a device: projections of the traces, minus the contribution of overlapping spikes.

On a GPU, one kernel cleans all waveforms (see `xephys.kernels.match.cuda.clean`). Elsewhere, spikes that overlap in
time are neighbors in the table of spikes, and are processed one neighbor distance at a time. Each step adds to every
spike once, so the order of additions is fixed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.waveforms_device import project_waveforms
from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import as_index, as_it_is, resident
from xephys.kernels.lib.gather_device import event_parts
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.match.model import MatchModel
from xephys.kernels.match.templates_device import match_templates


def match_and_project(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    model: MatchModel,
    overwrite: bool = False,
    **settings: Any,
) -> Columns:
    """As `xephys.kernels.match.features.match_and_project`, which does not use that traces may be overwritten."""
    spikes = match_templates(
        xp, traces, before=0, after=0, start=start - before, nbefore=nbefore, model=model, **settings
    )
    stop = start + len(traces) - before - after
    inside = slice(*(int((spikes["sample_index"] < end).sum()) for end in (start, stop)))  # they are in order of time
    table = Columns({name: column[inside] for name, column in spikes.columns.items()})
    if has_cuda_kernels(xp):
        return _projected_at_once(
            xp, traces, spikes, inside, table, first=start - before, nbefore=nbefore, components=components,
            neighbors=neighbors, model=model,
        )  # fmt: skip
    return _projected_step_by_step(
        xp, traces, spikes, inside, table, before=before, after=after, start=start, nbefore=nbefore,
        components=components, neighbors=neighbors, model=model,
    )  # fmt: skip


def _projected_step_by_step(
    xp: Any,
    traces: Any,
    spikes: Columns,
    inside: slice,
    table: Columns,
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    model: MatchModel,
) -> Columns:
    """The table with projections from which overlapping spikes are subtracted, one neighbor distance at a time."""
    table = project_waveforms(
        xp, traces, table, before=before, after=after, start=start, components=components, neighbors=neighbors,
        nbefore=nbefore,
    )  # fmt: skip
    projection = table["projection"]
    reach = components.shape[1]
    around = resident(xp, as_it_is, neighbors)[table["channel_index"]]
    taps = resident(xp, as_it_is, components)
    # A spike's own template is subtracted as it was matched, and added back without its sub-sample delay.
    row, chosen = spikes["sample_index"], xp.arange(inside.start, inside.stop)
    own = {"around": around, "lead": xp.zeros(len(chosen), dtype=np.int64), "components": taps, "model": model}
    projection += _seen_by(xp, spikes, chosen, shifted=False, **own) - _seen_by(xp, spikes, chosen, **own)
    for direction in (-1, 1):
        step = 1
        while True:
            other = chosen + direction * step
            held = xp.minimum(xp.maximum(other, 0), max(len(row) - 1, 0))
            lag = row[held] - row[chosen]
            near = xp.nonzero((other == held) & (abs(lag) < reach))[0]
            if not len(near):
                break
            projection[near] -= _seen_by(
                xp, spikes, held[near], around=around[near], lead=-lag[near], components=taps, model=model
            )
            step += 1
    return table


def _projected_at_once(
    xp: Any,
    traces: Any,
    spikes: Columns,
    inside: slice,
    table: Columns,
    *,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    **window: Any,
) -> Columns:
    """The table with the projections of waveforms that one kernel has cleaned."""
    from xephys.kernels.match.cuda.clean import cleaned_windows

    around = resident(xp, as_index, neighbors)[table["channel_index"]]
    taps = resident(xp, as_it_is, components)
    projection = xp.empty((len(table), neighbors.shape[1], len(components)), dtype=np.float32)
    for part in event_parts(len(table), components.shape[1] * neighbors.shape[1]):
        chosen = slice(inside.start + part.start, inside.start + part.stop)
        waveforms = cleaned_windows(xp, traces, spikes, chosen, around=around[part], **window)
        projection[part] = xp.matmul(taps, waveforms).transpose(0, 2, 1)
    return table.extended(projection=projection)


def _seen_by(
    xp: Any,
    spikes: Columns,
    chosen: Any,
    *,
    around: Any,
    lead: Any,
    components: Any,
    model: MatchModel,
    shifted: bool = True,
) -> Any:
    """Projections (spike, k, P) of some spikes in the windows of others, which begin ``lead`` samples into theirs."""
    shifted_temporal = model["shifted_temporal"]
    n_shifts, n_samples = shifted_temporal.shape[1], shifted_temporal.shape[3]
    unit = spikes["unit_index"][chosen]
    steps = spikes["sample_offset"][chosen] * (n_shifts - 1) if shifted else xp.zeros(len(unit))
    shift = xp.rint(steps).astype(np.int64) + n_shifts // 2
    courses = resident(xp, as_it_is, shifted_temporal)[unit, shift]
    at = lead[:, None] + xp.arange(components.shape[1])
    held = xp.minimum(xp.maximum(at, 0), n_samples - 1)
    rank = xp.arange(courses.shape[1])
    window = courses[xp.arange(len(unit))[:, None, None], rank[None, :, None], held[:, None, :]]
    window = xp.where((at == held)[:, None, :], window, np.float32(0))
    slots = resident(xp, as_it_is, model["channels"])[unit]
    shared = (slots[:, :, None] == around[:, None, :]) & (slots >= 0)[:, :, None]
    weights = xp.matmul(resident(xp, as_it_is, model["spatial"])[unit], shared.astype(np.float32))
    projected = xp.matmul(window, components.T)
    amplitude = spikes["amplitude"][chosen].astype(np.float32)
    return amplitude[:, None, None] * xp.matmul(weights.transpose(0, 2, 1), projected)
