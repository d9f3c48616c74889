"""The last part of every sort: waveforms in the recording's unit, quality, labels, and the tree that holds it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ... import schema
from ...sorting import make_sorting
from ...templates.average import dense_templates
from .prepare import Prepared
from .tidy import Units

REFRACTORY_MS = 1.5


def assemble(
    recording: xr.DataArray,
    prepared: Prepared,
    units: Units,
    parameters: Any,
    *,
    means: xr.Dataset,
    log: list[dict[str, Any]],
    learned: Mapping[str, xr.Dataset] | None = None,
    earlier: xr.DataTree | None = None,
    preset: str = "default",
    first_sample: int = 0,
) -> xr.DataTree:
    """Describe the units, build the sorting.

    ``means`` are the units' waveforms on the filtered traces (:mod:`xephys.sorter.steps.waveforms`).
    ``first_sample`` is the recording's first sample on the axis on which the spikes are counted.
    ``learned`` goes into its node of that name. With an ``earlier`` sorting of the same units, those with fewer than
    ``n_spikes_min`` spikes have their waveform and place from there: a mean of a few is mostly noise.
    """
    from ...kernels.curate.labels import label_units
    from ...kernels.metrics.spike_trains import refractory_contamination
    from ...kernels.templates.average import template_peak_channels, template_positions

    p, spikes = parameters, units.spikes
    if not units.templates.sizes["unit"]:
        return empty_sorting(recording, p, log=log, preset=preset)
    rate, n_samples = float(recording.attrs["sampling_frequency"]), recording.sizes["time"]
    n_units = units.templates.sizes["unit"]
    waveforms, slots = means["waveform"].values, means["channel_index"].values
    peak_channels = template_peak_channels(waveforms, channels=slots)
    places = schema.positions_of(prepared.filtered, why="units")
    positions = template_positions(waveforms, channels=slots, positions_um=places)
    dense = dense_templates(means).values
    counts = np.bincount(spikes["unit_index"], minlength=n_units)
    if earlier is not None:
        few = counts < p.n_spikes_min
        before = earlier["units"].dataset
        dense[few] = earlier["templates"]["templates"].values[few]
        peak_channels[few] = before["channel_index"].values[few]
        positions[few] = np.stack([before["x"].values, before["y"].values], axis=1)[few]
    amplitude = np.abs(dense[np.arange(n_units), :, peak_channels]).max(axis=1)
    noise = np.maximum(prepared.noise_levels.values[peak_channels], 1e-9)
    contamination = np.array(
        [
            refractory_contamination(
                np.sort(spikes["sample_index"][spikes["unit_index"] == u]),
                duration_samples=n_samples,
                refractory_samples=round(REFRACTORY_MS * 1e-3 * rate),
                censored_samples=round(0.5e-3 * rate),
            )
            for u in range(n_units)
        ]
    )
    labels = label_units(
        counts,
        contamination,
        amplitude / noise,
        max_contamination=p.contamination_max,
        min_good_snr=p.good_snr_min,
        min_spikes=p.n_spikes_min,
    )
    return make_sorting(
        recording,
        spikes={
            "sample_index": spikes["sample_index"] - first_sample,
            "unit_index": spikes["unit_index"],
            "amplitude": (spikes["amplitude"] * amplitude[spikes["unit_index"]]).astype(np.float32),
            "scale": spikes["amplitude"].astype(np.float32),
            "x": spikes["x"].astype(np.float32),
            "y": spikes["y"].astype(np.float32),
            "segment_index": spikes["segment_index"],
        },
        units={
            "label": labels,
            "channel_index": peak_channels,
            "x": positions[:, 0],
            "y": positions[:, 1],
            "num_spikes": counts,
            "firing_rate": counts * rate / n_samples,
            "amplitude": amplitude,
            "snr": amplitude / noise,
            "contamination": contamination,
        },
        templates=dense,
        nbefore=int(means.attrs["nbefore"]),
        unit_ids=None if earlier is None else earlier["units"]["unit_id"].values,
        learned=learned,
        preset=preset,
        parameters=p.model_dump(),
        log=log,
    )


def empty_sorting(
    recording: xr.DataArray, parameters: Any, *, log: list[dict[str, Any]] | None = None, preset: str = "default"
) -> xr.DataTree:
    """A sorting without units: the honest result on a silent recording."""
    rate = float(recording.attrs["sampling_frequency"])
    nbefore = round(parameters.ms_before * 1e-3 * rate)
    length = nbefore + round(parameters.ms_after * 1e-3 * rate)
    none_i, none_f = np.empty(0, np.int64), np.empty(0, np.float32)
    spikes: dict[str, Any] = {"sample_index": none_i, "unit_index": none_i, "amplitude": none_f, "scale": none_f}
    spikes.update({"x": none_f, "y": none_f, "segment_index": none_i})
    units: dict[str, Any] = {"label": np.empty(0, "<U4"), "channel_index": none_i, "num_spikes": none_i}
    units.update(dict.fromkeys(("x", "y", "firing_rate", "amplitude", "snr", "contamination"), none_f))
    return make_sorting(
        recording,
        spikes=spikes,
        units=units,
        templates=np.empty((0, length, recording.sizes["channel"]), np.float32),
        nbefore=nbefore,
        preset=preset,
        parameters=parameters.model_dump(),
        log=log or [],
    )
