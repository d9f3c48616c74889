"""Waveforms of a sorting's spikes as a lazy table: each tile of the recording is read once, for all units."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..graph.events import SpikeTable, given_events_stage
from ..graph.plan import Stage
from ..recording.stages import recording_plan
from .results import Analysis, Settings
from .subject import Subject


def extract_waveforms(
    sorting: xr.DataTree,
    recording: xr.DataArray | xr.DataTree,
    *,
    segment_index: int = 0,
    ms_before: float = 1.0,
    ms_after: float = 2.0,
    n_spikes_max: int | None = 500,
    seed: int = 0,
    **sparsity: Any,
) -> tuple[SpikeTable, xr.DataArray]:
    """Waveforms of the spikes of each unit on the channels around it, lazily.

    Parameters
    ----------
    sorting
        Any sorting tree.
    recording
        The recording that was sorted, after filtering; counts are converted to microvolts if the channels have gains.
    segment_index
        Number of the segment, if there are several.
    ms_before, ms_after
        Window around a spike.
    n_spikes_max
        Maximum number of spikes per unit, a choice determined by the spikes and ``seed``; all if None.
    seed
        Of that choice.
    **sparsity
        How channels are chosen: ``method`` (``"radius"``, ``"closest_channels"``, ``"best_channels"``, ``"snr"``,
        ``"amplitude"``, ``"energy"``, ``"by_property"``, ``"all"``), ``radius_um``, ``n_channels_max``, ``threshold``,
        ``by_property``.

    Returns
    -------
    table : SpikeTable
        With ``sample_index``, ``unit_index``, ``spike`` (position along the sorting's spikes) and ``waveform``, float32
        ``(sample, slot)``; zero outside the recording and in empty slots. Nothing is read before ``compute()``, and
        then one chunk at a time.
    channels : DataArray
        Channel of each slot of each unit ``(unit, slot)``, -1 where empty.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the recording does not belong to the sorting.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> table, channels = extract_waveforms(truth_sorting(recording, truth), recording, radius_um=40.0)
    >>> table.dtype["waveform"].shape[0], channels.dims
    (90, ('unit', 'slot'))
    """
    from .run import update

    settings = Settings(ms_before=ms_before, ms_after=ms_after, n_spikes_max=n_spikes_max, seed=seed)
    analysis = Analysis(subject=Subject.of(sorting, recording), settings=settings)
    update(analysis, ["random_spikes", "sparsity"], {"sparsity": sparsity})
    subject = analysis.subject
    if not 0 <= segment_index < len(subject.segments):
        raise ParameterError(
            f"segment_index is {segment_index} and there are {len(subject.segments)} segments, counted from 0"
        )
    first, last = subject.segment_bounds[segment_index : segment_index + 2]
    chosen = np.flatnonzero(analysis.nodes["random_spikes"]["chosen"].values[first:last]) + first
    records = np.zeros(len(chosen), [("sample_index", "<i8"), ("unit_index", "<i8"), ("spike", "<i8")])
    records["sample_index"], records["unit_index"] = subject.sample_index[chosen], subject.unit_index[chosen]
    records["spike"] = chosen
    channels = analysis.nodes["sparsity"]["channel_index"].values
    nbefore, nafter = analysis.window
    start = int(subject.first_samples[segment_index])
    stage = Stage(
        cut_records,
        dtype=np.dtype([*records.dtype.descr, ("waveform", "<f4", (nbefore + nafter, channels.shape[1]))]),
        parameters={
            "nbefore": nbefore,
            "nafter": nafter,
            "first_sample": start,
            "stop_sample": start + int(subject.n_samples[segment_index]),
        },
        arrays={"channels": channels},
        before=nbefore,
        after=nafter,
        emits="events",
    )
    plan = recording_plan(subject.segments[segment_index]).then(given_events_stage(records)).then(stage)
    return SpikeTable.of_plan(plan), xr.DataArray(channels, dims=("unit", "slot"), name="channel_index")


def cut_records(
    traces: NDArray[Any],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    channels: NDArray[np.int32],
    nbefore: int,
    nafter: int,
    first_sample: int,
    stop_sample: int,
) -> NDArray[np.void]:
    """The stage behind :func:`extract_waveforms`: records of a tile with their waveforms."""
    from ..kernels.analysis.snippets import cut_waveforms, inside_rows
    from ..kernels.lib.records import add_fields

    traces = np.ascontiguousarray(traces)
    lo, hi = inside_rows(len(traces), first_row=start - before, first_sample=first_sample, stop_sample=stop_sample)
    rows = np.ascontiguousarray(events["sample_index"]) - (start - before)
    units = np.ascontiguousarray(events["unit_index"])
    table = add_fields(events, [("waveform", "<f4", (nbefore + nafter, channels.shape[1]))])
    ones, zeros = np.ones(traces.shape[1], np.float32), np.zeros(traces.shape[1], np.float32)
    table["waveform"] = cut_waveforms(traces, ones, zeros, rows, units, channels, nbefore, nafter, lo, hi)
    return table
