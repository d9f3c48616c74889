"""Mean waveforms; the last pass gives them twice: filtered, for people, and white, for matching."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.checkpoint import run_partials
from ...preprocess.whiten import whitening_matrix
from ...templates.average import dense_templates, template_plan, templates_of_sums
from .prepare import Prepared
from .tidy import Units

#: Channels of a waveform of filtered traces.
N_CHANNELS = 64
#: Channels averaged so that white waveforms on the nearest 64 miss nothing: those are made of their own neighbours.
N_CHANNELS_TO_WHITEN = 160


def mean_waveforms(
    traces: xr.DataArray,
    spikes: NDArray[Any],
    p: Any,
    folder: Path,
    *,
    peak_channels: NDArray[np.integer[Any]],
    n_spikes_max: int,
    n_nearest: int = N_CHANNELS,
) -> xr.Dataset:
    """Mean waveforms of spikes around their units' peak channels: one pass over the recording."""
    plan = template_plan(
        traces,
        spikes,
        peak_channels=peak_channels,
        ms_before=p.ms_before,
        ms_after=p.ms_after,
        n_nearest=min(n_nearest, traces.sizes["channel"]),
        n_spikes_max=n_spikes_max,
        seed=p.seed,
    )
    return templates_of_sums(traces, plan, run_partials(plan, folder))


def final_means(prepared: Prepared, units: Units, p: Any, folder: Path) -> xr.Dataset:
    """Mean waveforms of the final spikes, where the templates that found them were made elsewhere; no pass for none."""
    if not units.templates.sizes["unit"]:
        return xr.Dataset()
    return mean_waveforms(
        prepared.filtered,
        units.spikes,
        p,
        folder,
        peak_channels=units.templates["channel_index"].values[:, 0],
        n_spikes_max=500,
    )


def nearest_slots(means: xr.Dataset, n_nearest: int) -> xr.Dataset:
    """The same on fewer channels."""
    return means.isel(slot=slice(n_nearest))


def whitened_means(means: xr.Dataset, whitening: xr.Dataset, *, n_nearest: int) -> xr.Dataset:
    """Means of white traces out of means of filtered ones: whitening is linear, so it can as well come after.

    Examples
    --------
    >>> means = xr.Dataset(
    ...     {"waveform": (("unit", "sample", "slot"), [[[2.0, 3.0]]]), "channel_index": (("unit", "slot"), [[1, 0]]),
    ...      "num_averaged": ("unit", [5])}, attrs={"n_channels": 2, "units": "uV"})
    >>> matrix = xr.Dataset({"matrix": (("channel", "other"), [[1.0, 0.5], [0.0, 1.0]])})
    >>> whitened_means(means, matrix, n_nearest=1)["waveform"].values.tolist()
    [[[3.5]]]
    """
    matrix = whitening_matrix(whitening)
    near = nearest_slots(means, n_nearest)
    waveform = np.zeros(near["waveform"].shape, np.float32)
    for unit, (own, given) in enumerate(zip(near["channel_index"].values, means["channel_index"].values, strict=True)):
        weights = np.where((own >= 0)[:, None] & (given >= 0)[None, :], matrix[own[:, None], given[None, :]], 0.0)
        waveform[unit] = means["waveform"].values[unit].astype(np.float64) @ weights.T
    return near.assign(waveform=(near["waveform"].dims, waveform)).assign_attrs(units="noise")


def unit_means(means: xr.Dataset, units: Units, *, num_spikes: NDArray[np.integer[Any]]) -> xr.Dataset:
    """Mean waveforms of units out of those of the matched templates that became them, weighted by their spikes.

    Channels are those of the template that stands for the unit. ``num_spikes`` are those that each template matched.
    """
    chosen = means.isel(unit=units.template_of_unit)
    weights = np.maximum(num_spikes, 1).astype(np.float64)
    counts = np.bincount(units.unit_of_template[units.unit_of_template >= 0], minlength=len(units.template_of_unit))
    waveform = chosen["waveform"].values.copy()
    for unit in np.flatnonzero(counts > 1):
        members = np.flatnonzero(units.unit_of_template == unit)
        dense = dense_templates(means.isel(unit=members)).values
        total = sum(
            weights[m] * moved(waveform_of, -int(units.sample_shift[m]))
            for m, waveform_of in zip(members, dense, strict=True)
        )
        own = chosen["channel_index"].values[unit]
        waveform[unit] = np.where(own >= 0, (total / weights[members].sum())[:, own], 0.0)
    return chosen.assign(waveform=(chosen["waveform"].dims, waveform))


def moved(waveform: NDArray[np.floating[Any]], n_samples: int) -> NDArray[np.floating[Any]]:
    """A waveform (sample, channel) so many samples later; 0 where nothing is known.

    Examples
    --------
    >>> moved(np.array([[1.0], [2.0], [3.0]]), -1).ravel().tolist()
    [2.0, 3.0, 0.0]
    """
    result = np.zeros_like(waveform)
    length = len(waveform)
    if abs(n_samples) < length:
        kept = waveform[max(-n_samples, 0) : length - max(n_samples, 0)]
        result[max(n_samples, 0) : max(n_samples, 0) + len(kept)] = kept
    return result
