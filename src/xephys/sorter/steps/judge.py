"""Judge units: the metrics that every sort computes, and the labels derived from them."""

from __future__ import annotations

from typing import Any

import xarray as xr
from numpy.typing import NDArray

from ...metrics.facts import UnitFacts
from ...metrics.table import compute_columns
from .assemble import Appearance
from .assign import SpikeColumns


def judge_units(
    recording: xr.DataArray,
    spikes: SpikeColumns,
    seen: Appearance,
    *,
    contamination_max: float,
    good_snr_min: float,
    n_spikes_min: int,
) -> dict[str, NDArray[Any]]:
    """Metrics of every unit by column, and its label.

    Parameters
    ----------
    recording
        The recording that was sorted; only its rate and length are used.
    spikes
        Columns ``sample_index`` and ``unit_index``.
    seen
        Waveforms and positions of the units.
    contamination_max, good_snr_min, n_spikes_min
        Limits of a good unit.
    """
    from ...kernels.curate.labels import label_units

    columns = compute_columns(unit_facts(recording, spikes, seen))
    label = label_units(
        columns["num_spikes"],
        columns["contamination"],
        columns["snr"],
        contamination_max=contamination_max,
        good_snr_min=good_snr_min,
        n_spikes_min=n_spikes_min,
    )
    return {"label": label, **columns}


def unit_facts(recording: xr.DataArray, spikes: SpikeColumns, seen: Appearance) -> UnitFacts:
    """The input of the metrics at the end of a sort."""
    return UnitFacts(
        sample_index=spikes["sample_index"],
        unit_index=spikes["unit_index"],
        n_units=len(seen.waveform),
        n_samples=recording.sizes["time"],
        sampling_frequency=float(recording.attrs["sampling_frequency"]),
        amplitude=seen.amplitude,
        noise=seen.noise,
    )
