"""Convert the truth of a simulation to a sorting."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import xarray as xr

from xephys.simulation.truth import Truth
from xephys.sorting import build_sorting


def truth_sorting(recording: xr.DataArray, truth: Truth) -> xr.DataTree:
    """The truth of a simulated recording as a sorting, for every function that takes one.

    Parameters
    ----------
    recording, truth
        From :func:`xephys.testing.simulate_recording`.

    Returns
    -------
    DataTree with ``/spikes``, ``/units`` and ``/templates``; every unit is labelled ``good``, without contamination.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> sorting = truth_sorting(*simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0))
    >>> sorting["units"]["label"].values.tolist()
    ['good', 'good']
    """
    spikes, units = truth.spikes, truth.units_info()
    amplitudes = np.array([unit["amplitude_uv"] for unit in units], float)
    positions = np.asarray(truth.unit_positions, float).reshape(-1, 2)
    return build_sorting(
        recording,
        spikes={
            "sample_index": spikes["sample_index"],
            "unit_index": spikes["unit_index"],
            "amplitude": spikes["amplitude"],
            "scale": np.abs(spikes["amplitude"]) / amplitudes[spikes["unit_index"]],
            "x": positions[spikes["unit_index"], 0],
            "y": positions[spikes["unit_index"], 1],
            "segment_index": spikes["segment_index"],
        },
        units={
            "label": np.full(len(units), "good"),
            "channel_index": truth.peak_channels,
            "x": positions[:, 0],
            "y": positions[:, 1],
            "num_spikes": np.array([unit["spikes"] for unit in units], np.int64),
            "firing_rate": np.array([unit["spikes"] for unit in units]) / truth.config.duration_s,
            "amplitude": amplitudes,
            "snr": np.array([unit["snr"] for unit in units], float),
            "contamination": np.zeros(len(units)),
        },
        templates=truth.templates,
        nbefore=truth.nbefore,
        preset="truth of a simulation",
        parameters=asdict(truth.config),
        log=[],
    )
