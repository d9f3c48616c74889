"""A small recording with its true sorting, analyzed once here and once by SpikeInterface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.uncompiled import uncompiled
from xephys.analysis.run import analyze
from xephys.analysis.table import EXTENSIONS
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording

#: Every extension whose values both sides can compute alike: from all spikes, with medians, scaled by the same
#: templates.
PARAMETERS = {
    "templates": {"operators": ("average", "std", "median")},
    "amplitude_scalings": {"source": "analysis"},
}


@pytest.fixture(scope="session", autouse=True)
def peer_uncompiled() -> Iterator[None]:
    """For the whole session, as the analyzer is: fixtures of a smaller scope are set up after it."""
    with uncompiled():
        yield


@pytest.fixture(scope="session")
def recording() -> xr.DataArray:
    return simulate_recording(duration_s=10.0, n_channels=16, n_units=5, seed=0)[0]


@pytest.fixture(scope="session")
def sorting(recording: xr.DataArray) -> xr.DataTree:
    return truth_sorting(*simulate_recording(duration_s=10.0, n_channels=16, n_units=5, seed=0))


@pytest.fixture(scope="session")
def analyzed(sorting: xr.DataTree, recording: xr.DataArray) -> xr.DataTree:
    return analyze(sorting, recording, list(EXTENSIONS), n_spikes_max=None, parameters=PARAMETERS)


@pytest.fixture(scope="session")
def analyzer(sorting: xr.DataTree, recording: xr.DataArray) -> Any:
    """SpikeInterface's analyzer of the same sorting, on the same channels and all spikes."""
    import spikeinterface.full as si

    channels = sorting["units"]["channel_index"].values
    analyzer = si.create_sorting_analyzer(
        xephys.to_spikeinterface(sorting),
        xephys.to_spikeinterface(recording),
        main_channel_indices=np.asarray(channels),
        sparsity_kwargs={"method": "radius", "radius_um": 100.0},
        return_in_uV=True,
    )
    analyzer.compute(
        {
            "random_spikes": {"method": "all"},
            "waveforms": {},
            "templates": {"operators": ["average", "std", "median"]},
            "noise_levels": {},
            "spike_amplitudes": {},
            "spike_locations": {},
            "unit_locations": {},
            "amplitude_scalings": {},
            "correlograms": {},
            "auto_correlograms": {},
            "acgs_3d": {},
            "isi_histograms": {},
            "template_similarity": {"max_lag_ms": 0.2},
            "principal_components": {},
        },
        verbose=False,
        progress_bar=False,
    )
    return analyzer
