"""The picture of ``docs/explanation/sorter.md``: what each step of the default sorter makes of a simulated recording.

python docs/figures/sorter_steps.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import xephys
from xephys.kernels.cluster.sections import gather_features, section_channels, spatial_sections
from xephys.plot.canvas.style import FAINT, INK, MUTED, paper_style, unit_color
from xephys.recording.geometry import nearest_channels
from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.default.prepare import prepare_default
from xephys.sorter.steps.passes import Run
from xephys.testing import simulate_recording

HERE = Path(__file__).parent
WINDOW_S = (37.105, 37.145)
DEPTH_UM = (180.0, 300.0)


def main() -> None:
    recording, _ = simulate_recording(
        preset="hard", duration_s=60, n_channels=32, n_units=12, amplitude_range_uv=(50, 250),
        stimulation_period_s=0, seed=3,
    )  # fmt: skip
    prepared = prepare_default(recording, DefaultParameters(), Run())
    white, levels = prepared.whitened, prepared.white_noise_levels
    peaks = xephys.detect_peaks(white, noise_levels=levels, peak_sign="both", exclude_sweep_ms=0.5)
    components = xephys.learn_components(white, peaks, n_components=6, ms_before=0.9, ms_after=1.3)
    table = xephys.project_peaks(white, xephys.localize_peaks(white, peaks), components=components, n_nearest=12)
    found = table.compute()
    sorting = xephys.sort(recording)
    residual = residual_of(white, sorting)
    with paper_style():
        figure, axes = plt.subplots(2, 3, figsize=(9.6, 6.0), layout="constrained")
        shown = np.flatnonzero((recording.y.values >= DEPTH_UM[0]) & (recording.y.values <= DEPTH_UM[1]))
        draw_peaks(axes[0, 0], white, found, shown)
        draw_components(axes[0, 1], components, float(white.attrs["sampling_frequency"]))
        draw_features(axes[0, 2], found, sorting, recording)
        draw_templates(axes[1, 0], sorting)
        draw_match(axes[1, 1], white, residual, sorting, shown)
        xephys.plot.plot_drift_raster(sorting, ax=axes[1, 2])
        axes[1, 2].set_title("(f) result: spikes in the colors of their units")
        figure.savefig(HERE / "sorter_steps.png", dpi=105)


def residual_of(white: Any, sorting: Any) -> Any:
    spikes = np.zeros(sorting["spikes"].sizes["spike"], [("sample_index", "<i8"), ("unit_index", "<i8")])
    for name in ("sample_index", "unit_index"):
        spikes[name] = sorting["spikes"][name].values
    peak_channels = sorting["units"]["channel_index"].values
    templates = xephys.estimate_templates(white, spikes, peak_channels=peak_channels)
    return xephys.match_residual(white, templates=templates)


def lines(ax: Any, traces: Any, shown: Any, spacing: float, color: str) -> None:
    window = xephys.time_slice(traces, *WINDOW_S)
    time_ms = (window.time.values - WINDOW_S[0]) * 1e3
    for row, channel in enumerate(shown):
        ax.plot(time_ms, window.values[:, channel] + spacing * row, color=color, lw=0.6)
    ax.set(xlabel="time (ms)", yticks=[], xlim=(0, time_ms[-1]))
    ax.spines["left"].set_visible(False)


def draw_peaks(ax: Any, white: Any, found: Any, shown: Any) -> None:
    lines(ax, white, shown, 14.0, INK)
    row_of = {int(channel): row for row, channel in enumerate(shown)}
    seconds = found["sample_index"] / float(white.attrs["sampling_frequency"])
    inside = (seconds >= WINDOW_S[0]) & (seconds < WINDOW_S[1])
    for peak, second in zip(found[inside], seconds[inside], strict=True):
        if int(peak["channel_index"]) in row_of:
            height = 14.0 * row_of[int(peak["channel_index"])] + peak["amplitude"]
            ax.plot((second - WINDOW_S[0]) * 1e3, height, "o", ms=5, mfc="none", mec="#D55E00", mew=1.1)
    ax.set_title("(a) whitened traces and their peaks")


def draw_components(ax: Any, components: Any, rate: float) -> None:
    n = components.sizes["sample"]
    before = int(components.attrs["nbefore"])
    time_ms = (np.arange(n) - before) / rate * 1e3
    for k, component in enumerate(components.values):
        ax.plot(time_ms, component - 0.65 * k, color=unit_color(k), lw=1.3)
    ax.axvline(0, color=FAINT, lw=0.7, zorder=0)
    ax.set(xlabel="time from the peak (ms)", yticks=[])
    ax.spines["left"].set_visible(False)
    ax.set_title("(b) temporal components of peaks")


def draw_features(ax: Any, found: Any, sorting: Any, recording: Any) -> None:
    """Two principal axes of the features of one section of the probe, in the colors of the units they became."""
    positions = np.stack([recording.x.values, recording.y.values], axis=1)
    neighbors = nearest_channels(positions, n_nearest=found["projection"].shape[1])
    section = next(s for s in spatial_sections(positions) if 240 in positions[s.core, 1])
    _, slots = section_channels(section, neighbors)
    near = found[np.isin(found["channel_index"], np.concatenate([section.core, section.margin]))]
    spikes, rank = sorting["spikes"].dataset, unit_ranks(sorting)
    samples, units = spikes["sample_index"].values, spikes["unit_index"].values
    features = gather_features(near["projection"], near["channel_index"], slots)
    centered = features - features.mean(axis=0)
    plane = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    heights = sorting["units"]["y"].values
    for (x, y), peak in zip(plane, near, strict=True):
        lo, hi = np.searchsorted(samples, [peak["sample_index"] - 9, peak["sample_index"] + 10])
        close = [u for u in units[lo:hi] if abs(heights[u] - peak["y"]) < 80]
        ax.plot(x, y, ".", ms=3, color=unit_color(rank[close[0]]) if close else FAINT)
    ax.set(xlabel="first principal axis", ylabel="second", xticks=[], yticks=[])
    ax.set_title("(c) features in one section of the probe")


def draw_templates(ax: Any, sorting: Any) -> None:
    templates, rank = sorting["templates"]["templates"], unit_ranks(sorting)
    x, y, best = templates.x.values, templates.y.values, sorting["units"]["channel_index"].values
    chosen = [u for u in np.argsort(sorting["units"]["y"].values) if DEPTH_UM[0] <= y[best[u]] <= DEPTH_UM[1]]
    for place, unit in enumerate(chosen):
        values = templates.values[unit]
        for channel in np.flatnonzero((y >= DEPTH_UM[0]) & (y <= DEPTH_UM[1])):
            across = np.linspace(0, 11, len(values)) + x[channel] / 64 * 38 + 62 * place
            ax.plot(
                across,
                y[channel] + 22 * values[:, channel] / np.abs(values).max(),
                color=unit_color(rank[unit]),
                lw=0.9,
            )
    ax.set(ylabel="depth (µm)", xticks=[], xlim=(-4, 62 * len(chosen)))
    ax.spines["bottom"].set_visible(False)
    ax.set_title("(d) templates, each to its own scale")


def draw_match(ax: Any, white: Any, residual: Any, sorting: Any, shown: Any) -> None:
    lines(ax, white, shown, 14.0, "#7FB2D6")
    lines(ax, residual, shown, 14.0, INK)
    rate, rank = float(white.attrs["sampling_frequency"]), unit_ranks(sorting)
    spikes, heights = sorting["spikes"].dataset, sorting["units"]["y"].values
    top = 14.0 * len(shown)
    for sample, unit in zip(spikes["sample_index"].values, spikes["unit_index"].values, strict=True):
        if WINDOW_S[0] <= sample / rate < WINDOW_S[1] and DEPTH_UM[0] <= heights[unit] <= DEPTH_UM[1]:
            ax.plot((sample / rate - WINDOW_S[0]) * 1e3, top, "v", ms=5, color=unit_color(rank[unit]), mew=0)
    ax.text(0.0, top + 6, "matched spikes", fontsize=6.5, color=MUTED)
    ax.set_title("(e) traces (blue) minus matches: residual")


def unit_ranks(sorting: Any) -> dict[int, int]:
    return {int(unit): k for k, unit in enumerate(np.argsort(sorting["units"]["y"].values, kind="stable"))}


if __name__ == "__main__":
    main()
