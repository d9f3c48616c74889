"""From the roots of a recording to sequences."""

from __future__ import annotations

from typing import Any

import xarray as xr

from ..graph.checkpoint import CheckpointedEvents
from ..sorter.rt_sort.parameters import RTSortParameters
from .model import ROOT_FIELDS, around_channels, dataset_of, limits_of, roots_of


def learn_from(
    records: CheckpointedEvents,
    recording: xr.DataArray,
    p: RTSortParameters,
    *,
    noise_levels: xr.DataArray,
    network: xr.Dataset,
) -> xr.Dataset:
    """Sequences from the roots of a recording; ``network`` is that of the recording's rate."""
    from ..kernels.realtime.learn import learn_sequences

    rate = float(recording.attrs["sampling_frequency"])
    around = around_channels(recording, p)
    stringent = network.attrs["stringent_thresh"] if p.stringent_thresh is None else p.stringent_thresh
    patterns, _, log = learn_sequences(
        roots_of(records.load(ROOT_FIELDS), p, stringent, around),
        around,
        limits=limits_of(p, rate),
        merge_limits=limits_of(p, rate, of="sequences"),
        settings=p.learning(recording.sizes["channel"]),
        duration_s=recording.sizes["time"] / rate,
    )
    steps: list[dict[str, Any]] = [{"step": "detect", "num_spikes": records.count}]
    steps += [{"step": "learn", **row} for row in log]
    return dataset_of(patterns, around, recording, p, noise_levels=noise_levels, network=network, log=steps)
