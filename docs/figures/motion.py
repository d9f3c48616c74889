"""Draw motion.png and motion_steps.png: python docs/figures/motion.py

Peaks are generated here, with a displacement that is known: a slow wave that is larger at the top of the probe, a step,
and half a minute without spikes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import xephys
from xephys.motion.displacement import displacement_at
from xephys.plot import plot_motion
from xephys.plot.canvas.style import FAINT, INK, new_figure, paper_style, unit_color

HERE = Path(__file__).parent
DURATION_S, HEIGHT_UM, RATE = 300.0, 1000.0, 1000.0
SILENT_S = (180.0, 210.0)


def displacement(time: Any, depth: Any) -> Any:
    wave = 18 * np.sin(2 * np.pi * time / 160) * (0.5 + 0.5 * depth / HEIGHT_UM)
    return wave + np.where(time > 110, 15.0, 0.0)


def make_peaks(rng: np.random.Generator) -> Any:
    n_units = 45
    home, size = rng.uniform(0, HEIGHT_UM, n_units), rng.lognormal(np.log(70), 0.5, n_units)
    counts = rng.poisson(rng.lognormal(1.0, 0.7, n_units) * DURATION_S)
    unit = np.repeat(np.arange(n_units), counts)
    time = rng.uniform(0, DURATION_S, len(unit))
    order = np.argsort(time)
    unit, time = unit[order], time[order]
    awake = (time < SILENT_S[0]) | (time > SILENT_S[1])
    unit, time = unit[awake], time[awake]
    peaks = np.zeros(len(time), [("sample_index", "i8"), ("channel_index", "i8"), ("amplitude", "f4"), ("y", "f8")])
    peaks["sample_index"] = time * RATE
    peaks["amplitude"] = -size[unit] * rng.normal(1, 0.1, len(unit))
    peaks["y"] = home[unit] + displacement(time, home[unit]) + rng.normal(0, 1, len(unit)) * (2 + 200 / size[unit])
    peaks["channel_index"] = np.clip(np.round(peaks["y"] / 20), 0, HEIGHT_UM // 20)
    return peaks


def make_recording() -> Any:
    rows = np.arange(0.0, HEIGHT_UM + 1, 20.0)
    return xephys.make_recording(
        np.broadcast_to(np.int16(0), (int(DURATION_S * RATE), len(rows))),
        sampling_frequency=RATE,
        coordinates={"x": 0 * rows, "y": rows},
    )


def draw_steps(peaks: Any, motion: Any) -> Any:
    """Two bins and their lag, which pairs are compared, and peaks against the density of the others."""
    seconds, depth = peaks["sample_index"] / RATE, peaks["y"]
    with paper_style():
        figure = new_figure((9.0, 2.9))
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.2, 0.9, 1.2])
        edges = np.arange(400, 901, 4.0)
        kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2) ** 2)
        for offset, (start, color) in enumerate(((40, unit_color(0)), (104, unit_color(1)))):
            chosen = (seconds >= start) & (seconds < start + 4)
            profile = np.histogram(depth[chosen], edges, weights=-peaks["amplitude"][chosen])[0]
            profile = np.log1p(np.convolve(profile, kernel, "same"))
            left.fill_between(edges[1:], 12 * (1 - offset), 12 * (1 - offset) + profile, color=color, alpha=0.75, lw=0)
            left.text(900, 12 * (1 - offset) + 8.6, f"second {start}", color=color, ha="right")
        left.set_title("1  A pair of bins: at which lag do they agree?")
        left.set_xlabel("depth (µm)")
        left.set_yticks([])
        n = 40
        grid = np.arange(n)
        near = (np.abs(grid[:, None] - grid[None]) <= 6) & (grid[:, None] > grid[None])
        middle.imshow(np.where(near, 0.45, 0.0), cmap="Greys", vmin=0, vmax=1, origin="lower", interpolation="none")
        for block in range(0, n, 8):
            for other in range(0, block, 8):
                middle.add_patch(_square(other, block, 8))
        middle.set_title("2  Near pairs, and blocks")
        middle.set_xlabel("earlier bin")
        middle.set_ylabel("later bin")
        middle.set_xticks([])
        middle.set_yticks([])
        moved = displacement_at(motion, time_s=seconds, depth_um=depth)
        density, _ = np.histogram(depth - moved, np.arange(560, 701, 1.0))
        density = np.convolve(density, np.exp(-0.5 * (np.arange(-8, 9) / 2) ** 2), "same")
        right.fill_between(np.arange(560.5, 700), density, color=FAINT, lw=0)
        chosen = (seconds >= 75) & (seconds < 77) & (depth > 560) & (depth < 700)
        for level, (values, color, name) in enumerate(
            ((depth[chosen], unit_color(1), "seen"), ((depth - moved)[chosen], unit_color(0), "registered"))
        ):
            height = density.max() * (1.28 - 0.16 * level)
            right.plot(values, np.full(len(values), height), "|", color=color, ms=7, mew=1.2)
            right.text(562, height + density.max() * 0.035, f"peaks of two seconds, {name}", color=color, fontsize=6.5)
        right.set_title("3  Every peak against the density of the others")
        right.set_xlabel("registered depth (µm)")
        right.set_yticks([])
        right.set_xlim(560, 700)
    return figure


def _square(x: float, y: float, side: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), side, side, fill=False, ec=INK, lw=0.8)


def main() -> None:
    peaks = make_peaks(np.random.default_rng(3))
    recording = make_recording()
    motion = xephys.estimate_motion(recording, peaks)
    plot_motion(recording, motion, peaks=peaks).figure.savefig(HERE / "motion.png", dpi=90)
    draw_steps(peaks, motion).savefig(HERE / "motion_steps.png", dpi=130)


if __name__ == "__main__":
    main()
