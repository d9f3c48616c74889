"""How good units are: the quality columns of ``/units`` and the labels that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

#: Two spikes of one neuron are at least so far apart; nearer than the second, the matcher reports only one of them.
CONTAMINATION_REFRACTORY_MS, CONTAMINATION_CENSORED_MS = 1.5, 0.5


def judge_units(
    recording: xr.DataArray,
    spikes: NDArray[Any],
    snr: NDArray[np.floating[Any]],
    *,
    contamination_max: float,
    good_snr_min: float,
    n_spikes_min: int,
) -> dict[str, NDArray[Any]]:
    """Quality of every unit by column: firing rate, signal-to-noise ratio, contamination, and the label.

    Parameters
    ----------
    recording
        What was sorted: its rate and length are used.
    spikes
        Records with ``sample_index`` and ``unit_index``.
    snr
        Of each unit.
    contamination_max, good_snr_min, n_spikes_min
        Limits of a good unit.
    """
    from ...kernels.curate.labels import label_units
    from ...kernels.metrics.trains import refractory_contaminations

    rate, n_samples = float(recording.attrs["sampling_frequency"]), recording.sizes["time"]
    counts = np.bincount(spikes["unit_index"], minlength=len(snr))
    contamination = refractory_contaminations(
        spikes["sample_index"],
        spikes["unit_index"],
        n_units=len(snr),
        duration_samples=n_samples,
        refractory_samples=round(CONTAMINATION_REFRACTORY_MS * 1e-3 * rate),
        censored_samples=round(CONTAMINATION_CENSORED_MS * 1e-3 * rate),
    )
    label = label_units(
        counts,
        contamination,
        snr,
        max_contamination=contamination_max,
        min_good_snr=good_snr_min,
        min_spikes=n_spikes_min,
    )
    return {
        "label": label,
        "firing_rate": counts * rate / n_samples,
        "snr": snr,
        "contamination": contamination,
    }
