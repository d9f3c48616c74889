"""The picture of ``docs/explanation/kilosort4.md``: what the steps of the preset make of a simulated recording.

python docs/figures/kilosort4_steps.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import xephys
from xephys.kernels.cluster.sections import centered_sections, gather_features, section_channels
from xephys.plot.canvas.style import FAINT, INK, MUTED, paper_style, unit_color
from xephys.recording.geometry import nearest_channels, shank_numbers
from xephys.sorter.kilosort4.parameters import Kilosort4Parameters
from xephys.sorter.kilosort4.prepare import prepare_white
from xephys.sorter.steps.passes import Run
from xephys.testing import simulate_recording

HERE = Path(__file__).parent
WINDOW_S = (12.100, 12.140)
DEPTH_UM = (100.0, 240.0)


def main() -> None:
    recording, _ = simulate_recording(duration_s=40, n_channels=32, n_units=14, amplitude_range_uv=(50, 160), seed=2)
    white = prepare_white(recording, Kilosort4Parameters(nblocks=0), Run()).whitened
    shapes = xephys.learn_shapes(white, seed=5)
    components = shapes["component"].assign_attrs(nbefore=20)
    templates = xephys.universal_templates(white, shapes=shapes)
    table = xephys.detect_universal(white, templates=templates)
    found = xephys.project_peaks(white, table, components=components, n_nearest=20).compute()
    clusters = xephys.cluster_by_modularity(white, found, components=components)
    with paper_style():
        figure, axes = plt.subplots(2, 3, figsize=(9.6, 6.0), layout="constrained")
        draw_shapes(axes[0, 0], shapes)
        draw_grid(axes[0, 1], recording, templates)
        draw_events(axes[0, 2], white, found)
        draw_features(axes[1, 0], white, found, clusters)
        draw_positions(axes[1, 1], found, clusters)
        xephys.plot.plot_drift_raster(xephys.sort(recording, preset="kilosort4", nblocks=0), ax=axes[1, 2])
        axes[1, 2].set_title("(f) result: spikes in the colors of their units")
        figure.savefig(HERE / "kilosort4_steps.png", dpi=105)


def draw_shapes(ax: Any, shapes: Any) -> None:
    time_ms = (np.arange(shapes.sizes["sample"]) - shapes.attrs["nbefore"]) / 30.0
    for k, shape in enumerate(shapes["shape"].values):
        ax.plot(time_ms, shape - 0.6 * k, color=unit_color(k), lw=1.4)
    ax.axvline(0, color=FAINT, lw=0.7, zorder=0)
    ax.set(xlabel="time from the peak (ms)", yticks=[])
    ax.spines["left"].set_visible(False)
    ax.set_title("(a) shapes learned from lone peaks")


def draw_grid(ax: Any, recording: Any, templates: Any) -> None:
    """Contacts, places, and the envelopes of one place as the size of the contacts."""
    near = (recording.y.values >= DEPTH_UM[0]) & (recording.y.values <= DEPTH_UM[1])
    ax.plot(recording.x.values[near], recording.y.values[near], "s", ms=7, mfc="none", mec=INK, mew=0.9)
    x, y = templates["place_x"].values, templates["place_y"].values
    shown = (y >= DEPTH_UM[0]) & (y <= DEPTH_UM[1])
    ax.plot(x[shown], y[shown], ".", ms=2.5, color=MUTED)
    place = int(np.argmin(np.hypot(x - np.median(x), y - np.mean(DEPTH_UM))))
    ax.plot(x[place], y[place], "o", ms=5, color="#D55E00")
    for size, color in ((0, "#D55E00"), (4, "#0072B2")):
        width = (size + 1) * 10.0
        ax.add_patch(plt.Circle((x[place], y[place]), width, fc="none", ec=color, lw=1.2))
        ax.text(x[place] - 6, y[place] + width + 1.5, f"{width:g} µm", fontsize=6.5, color=color)
    ax.set(xlabel="x (µm)", ylabel="y (µm)", aspect="equal", ylim=DEPTH_UM)
    ax.set_title("(b) contacts, places, and two envelopes")


def draw_events(ax: Any, white: Any, found: Any) -> None:
    shown = np.flatnonzero((white.y.values >= DEPTH_UM[0]) & (white.y.values <= DEPTH_UM[1]))
    window = xephys.time_slice(white, *WINDOW_S)
    time_ms = (window.time.values - WINDOW_S[0]) * 1e3
    for row, channel in enumerate(shown):
        ax.plot(time_ms, window.values[:, channel] + 14.0 * row, color=INK, lw=0.6)
    row_of = {int(channel): row for row, channel in enumerate(shown)}
    seconds = found["sample_index"] / 30_000.0
    inside = (seconds >= WINDOW_S[0]) & (seconds < WINDOW_S[1])
    for event, second in zip(found[inside], seconds[inside], strict=True):
        if int(event["channel_index"]) in row_of:
            height = 14.0 * row_of[int(event["channel_index"])]
            color = "#D55E00" if event["sign"] > 0 else "#0072B2"
            ax.plot((second - WINDOW_S[0]) * 1e3, height, "o", ms=3 + event["amplitude"] / 8, mfc="none", mec=color)
    ax.set(xlabel="time (ms)", yticks=[], xlim=(0, time_ms[-1]))
    ax.spines["left"].set_visible(False)
    ax.set_title("(c) white traces and detected spikes")


def draw_features(ax: Any, white: Any, found: Any, clusters: Any) -> None:
    """Two principal axes of one section, in the colors of its clusters."""
    positions = np.stack([white.x.values, white.y.values], axis=1)
    neighbors = nearest_channels(positions, n_nearest=20)
    sections = centered_sections(positions, shanks=shank_numbers(white), height_um=40.0, margin_um=30.0)
    section = max(sections, key=lambda s: np.unique(clusters.labels[np.isin(found["channel_index"], s.core)]).size)
    near = np.isin(found["channel_index"], np.concatenate([section.core, section.margin]))
    _, slots = section_channels(section, neighbors)
    features = gather_features(found["projection"][near], found["channel_index"][near], slots)
    centered = features - features.mean(axis=0)
    plane = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    for point, label in zip(plane, clusters.labels[near], strict=True):
        ax.plot(*point, ".", ms=3, color=unit_color(int(label)) if label >= 0 else FAINT)
    ax.set(xlabel="first principal axis", ylabel="second", xticks=[], yticks=[])
    ax.set_title("(d) features of one section, in colors of clusters")


def draw_positions(ax: Any, found: Any, clusters: Any) -> None:
    for label in range(-1, clusters.n_clusters):
        own = clusters.labels == label
        color = unit_color(label) if label >= 0 else FAINT
        ax.plot(found["x"][own], found["y"][own], ".", ms=2.5, color=color)
    ax.set(xlabel="x (µm)", ylabel="y (µm)")
    ax.set_title("(e) detected spikes in place, same colors")


if __name__ == "__main__":
    main()
