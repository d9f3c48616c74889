"""The figures among Kilosort4's files: quality of the units, spikes over the probe, spikes over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...sorting import spike_times_s

#: Maximum number of spikes drawn; if there are more, evenly spread ones are drawn.
SPIKES_MAX = 200_000


def draw_pictures(folder: Path, sorting: xr.DataTree, norms: Any) -> None:
    """Draw ``diagnostics.png``, ``spike_positions.png`` and ``drift_scatter.png``."""
    from matplotlib.figure import Figure

    units, spikes = sorting["units"].dataset, sorting["spikes"].dataset
    rows = np.unique(np.linspace(0, max(len(norms) - 1, 0), min(len(norms), SPIKES_MAX)).astype(np.int64))
    time_s = spike_times_s(sorting)[rows]
    places = np.load(folder / "spike_positions.npy", allow_pickle=False)[rows]

    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(2, 2)
    counts = np.bincount(spikes["unit_index"].values, minlength=units.sizes["unit"])
    means = np.bincount(spikes["unit_index"].values, weights=norms, minlength=units.sizes["unit"])
    histograms = (
        (axes[0, 0], means / np.maximum(counts, 1), "amplitude (noise units)"),
        (axes[0, 1], units["firing_rate"].values, "firing rate (Hz)"),
        (axes[1, 0], 100 * units["contamination"].values, "contamination (%)"),
    )
    for panel, values, label in histograms:
        panel.hist(values[np.isfinite(values)], bins=30)
        panel.set(xlabel=label, ylabel="units")
    axes[1, 1].plot(time_s, norms[rows], ",")
    axes[1, 1].set(xlabel="time (s)", ylabel="amplitude (noise units)")
    figure.savefig(folder / "diagnostics.png", dpi=100)

    figure = Figure(figsize=(4, 8), layout="constrained")
    panel = figure.subplots()
    contacts = np.load(folder / "channel_positions.npy", allow_pickle=False)
    panel.plot(contacts[:, 0], contacts[:, 1], "s", color="0.8", markersize=3)
    panel.scatter(places[:, 0], places[:, 1], s=1, c=spikes["unit_index"].values[rows] % 20, cmap="tab20", linewidths=0)
    panel.set(xlabel="x (µm)", ylabel="y (µm)")
    figure.savefig(folder / "spike_positions.png", dpi=100)

    figure = Figure(figsize=(10, 6), layout="constrained")
    panel = figure.subplots()
    shades = np.clip(norms[rows], None, np.percentile(norms[rows], 99) if len(rows) else 1.0)
    panel.scatter(time_s, places[:, 1], s=1, c=shades, cmap="gray_r", linewidths=0)
    panel.set(xlabel="time (s)", ylabel="y (µm)")
    figure.savefig(folder / "drift_scatter.png", dpi=100)
