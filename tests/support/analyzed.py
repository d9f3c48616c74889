"""A small recording and its true sorting with every extension, made once a process for tests of what comes after."""

from __future__ import annotations

from functools import cache

import xarray as xr

import xephys
from xephys.analysis.table import EXTENSIONS
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording


@cache
def analyzed_sorting() -> tuple[xr.DataArray, xr.DataTree]:
    """Twelve channels, four units, fifteen seconds."""
    recording, truth = simulate_recording(duration_s=15.0, n_channels=12, n_units=4, seed=3)
    return recording, xephys.analyze(truth_sorting(recording, truth), recording, list(EXTENSIONS), n_spikes_max=40)


@cache
def analyzed_segments() -> tuple[xr.DataTree, xr.DataTree]:
    """Two segments with spikes in each, with what can be handed over of them."""
    recording, truth = simulate_recording(duration_s=6.0, n_channels=8, n_units=3, seed=1)
    parts = [recording.isel(time=slice(0, 90_000)), recording.isel(time=slice(90_000, None))]
    whole = xephys.append_segments(parts)
    first = truth.spikes["sample_index"] < 90_000
    spikes = {
        "sample_index": truth.spikes["sample_index"],
        "unit_index": truth.spikes["unit_index"],
        "segment_index": (~first).astype(int),
    }
    sorting = xephys.make_sorting(spikes, recording=whole)
    return whole, xephys.analyze(sorting, whole, ["spike_amplitudes", "principal_components", "template_similarity"])
