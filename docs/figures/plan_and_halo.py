"""The two drawings of ``docs/explanation/design.md``: the plan, and the halo of one tile.

    python docs/figures/plan_and_halo.py

Halos are those of a band-pass at 30 kHz (766 samples) and of detection, localization and projection, not to scale.
"""

from __future__ import annotations

from itertools import pairwise
from math import sin
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from xephys.plot.canvas.style import FAINT, INK, MUTED, paper_style

HERE = Path(__file__).parent
BLUE, ORANGE, GREEN, PAPER = "#0072B2", "#D55E00", "#009E73", "#F4F6F8"


def box(ax: Any, x: float, y: float, width: float, height: float, text: str, *, note: str = "", color: str) -> None:
    ax.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.12", fc="white", ec=color, lw=1.2)
    )
    lift = 0.14 if note else 0.0
    ax.text(x + width / 2, y + height / 2 + lift, text, ha="center", va="center", fontsize=8, color=INK)
    if note:
        ax.text(x + width / 2, y + height / 2 - 0.2, note, ha="center", va="center", fontsize=6.3, color=MUTED)


def arrow(ax: Any, start: tuple[float, float], stop: tuple[float, float], color: str = MUTED) -> None:
    ax.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", mutation_scale=8, lw=1.0, color=color))


def draw_plan() -> Any:
    """Source and stages above, tiles below them, and three ways to cut the same tiles into chunks."""
    figure = plt.figure(figsize=(9.0, 4.6))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 18), ylim=(0.2, 9.4))
    ax.axis("off")
    ax.text(0.4, 9.0, "a plan", fontsize=10, color=INK, weight="bold")
    ax.text(
        1.75, 9.0, "data, not yet tasks: a source, a range of samples, stages with their halos", fontsize=8, color=MUTED
    )
    ax.add_patch(Rectangle((0.4, 6.75), 17.2, 1.85, fc=PAPER, ec="none"))
    stages = [
        ("source", "path, size, time", 2.3, INK),
        ("band-pass", "halo 766 + 766", 2.3, BLUE),
        ("reference", "pointwise", 2.0, BLUE),
        ("whiten", "pointwise", 2.0, BLUE),
        ("detect", "31 + 31", 1.8, ORANGE),
        ("localize", "15 + 15", 1.8, ORANGE),
        ("project", "21 + 38", 1.8, ORANGE),
    ]
    x = 0.75
    for k, (name, note, width, color) in enumerate(stages):
        box(ax, x, 7.2, width, 0.95, name, note=note, color=color)
        if k + 1 < len(stages):
            arrow(ax, (x + width + 0.03, 7.67), (x + width + 0.4, 7.67))
        x += width + 0.43
    ax.text(3.5, 6.88, "trace stages: halos add up", fontsize=6.8, color=BLUE)
    ax.text(10.85, 6.88, "event stages: the largest halo counts", fontsize=6.8, color=ORANGE)

    ax.text(0.4, 6.15, "tiles compute", fontsize=10, color=INK, weight="bold")
    ax.text(
        3.0,
        6.15,
        "a fixed grid of 1 s on the absolute sample axis; all arithmetic has these shapes",
        fontsize=8,
        color=MUTED,
    )
    left, unit, n = 2.6, 1.48, 10
    for k in range(n):
        ax.add_patch(Rectangle((left + k * unit, 5.2), unit, 0.6, fc="#DCE9F3", ec=BLUE, lw=0.9))
        ax.text(left + (k + 0.5) * unit, 5.5, f"{k}", ha="center", va="center", fontsize=7, color=BLUE)
    ax.text(left + n * unit, 4.95, "10 s", ha="right", va="center", fontsize=6.5, color=MUTED)

    ax.text(
        0.4,
        4.2,
        "chunks schedule",
        fontsize=10,
        color=INK,
        weight="bold",
        bbox={"fc": "white", "ec": "none", "pad": 1.5},
    )
    ax.text(
        3.35,
        4.2,
        "one task each; any length gives the same bits, multiples of a tile cost least",
        fontsize=8,
        color=MUTED,
        bbox={"fc": "white", "ec": "none", "pad": 1.5},
    )
    for row, (length, label) in enumerate(((2.0, "2 s"), (0.7, "0.7 s"), (5.0, "5 s"))):
        y = 3.25 - 0.95 * row
        ax.text(left - 0.2, y + 0.28, label, ha="right", va="center", fontsize=8, color=INK)
        start = 0.0
        while start < n - 1e-9:
            stop = min(start + length, n)
            ax.add_patch(
                FancyBboxPatch(
                    (left + start * unit + 0.03, y), (stop - start) * unit - 0.06, 0.56, fc="white", ec=GREEN, lw=1.0,
                    boxstyle="round,pad=0,rounding_size=0.08",
                )
            )  # fmt: skip
            start = stop
    for k in range(n + 1):
        ax.plot([left + k * unit] * 2, [1.2, 5.2], color=BLUE, lw=0.5, ls=(0, (1, 3)), zorder=0)
    ax.text(left, 0.55, "A chunk of 0.7 s computes the one or two tiles that cover it and cuts its part out of them.",
            fontsize=7.5, color=MUTED)  # fmt: skip
    return figure


def draw_halo() -> Any:
    """What one tile reads, how the range narrows from stage to stage, and the recording's own end."""
    figure = plt.figure(figsize=(9.0, 3.9))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 18), ylim=(0.9, 8.6))
    ax.axis("off")
    core, wide, mid = (6.6, 11.4), (4.2, 13.8), (6.0, 12.0)
    rows = [
        ("read", "once per chunk, a view per tile", 7.2, wide, INK),
        ("band-pass", "needs 766 samples on each side, returns the rest", 5.6, mid, BLUE),
        ("reference, whiten", "pointwise: sub-blocks of 1024 rows stay in cache", 4.0, mid, BLUE),
        ("detect, localize, project", "see the same rows, and own the events of the core", 2.4, core, ORANGE),
    ]
    for (_, _, y, (a, b), _), (_, _, low, (c, d), color) in pairwise(rows):
        ax.add_patch(Polygon([(a, y), (b, y), (d, low + 0.7), (c, low + 0.7)], fc=color, alpha=0.10, lw=0))
    for name, note, y, (a, b), color in rows:
        ax.add_patch(Rectangle((a, y), core[0] - a, 0.7, fc="#E9ECEF", ec="none"))
        ax.add_patch(Rectangle((core[1], y), b - core[1], 0.7, fc="#E9ECEF", ec="none"))
        ax.add_patch(Rectangle((core[0], y), core[1] - core[0], 0.7, fc="#DCE9F3", ec="none"))
        ax.add_patch(Rectangle((a, y), b - a, 0.7, fc="none", ec=color, lw=1.3))
        ax.text(0.4, y + 0.5, name, fontsize=8.5, color=color, va="center", weight="bold")
        ax.text(0.4, y + 0.1, note, fontsize=6.5, color=MUTED, va="center")
    for x in core:
        ax.plot([x, x], [1.55, 8.15], color=BLUE, lw=0.8, ls=(0, (2, 2)))
    ax.text(9.0, 8.25, "one tile: 30 000 samples", ha="center", fontsize=8, color=BLUE)
    ax.text(5.4, 8.25, "halo", ha="center", fontsize=8, color=MUTED)
    ax.text(12.6, 8.25, "halo", ha="center", fontsize=8, color=MUTED)
    for x, height in ((7.4, 0.34), (8.1, 0.22), (9.3, 0.4), (10.7, 0.3)):
        ax.plot([x, x], [2.75 - height * 0.6, 2.75 + height * 0.6], color=ORANGE, lw=1.4)
    ax.plot([11.75, 11.75], [2.55, 2.95], color=FAINT, lw=1.4)
    ax.annotate("a peak of the next tile:\nseen, left to its owner", (11.78, 2.6), (12.5, 1.62),
                fontsize=6.8, color=MUTED, arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.8})  # fmt: skip
    ax.text(9.0, 1.25, "exactly the tile, whoever asked for it", ha="center", fontsize=7.5, color=BLUE)

    ax.text(14.3, 7.75, "at the recording's own ends", fontsize=7.5, color=INK, weight="bold")
    ax.text(14.3, 7.42, "and only there:", fontsize=7.2, color=MUTED)
    wave_x = [14.35 + 0.02 * i for i in range(100)]
    wave_y = [6.6 + 0.16 * sin(0.13 * i) + 0.05 * sin(0.9 * i) + 0.04 * sin(1.7 * i + 1) for i in range(100)]
    ax.plot(wave_x, wave_y, color=INK, lw=0.9)
    ax.plot([wave_x[-1], wave_x[-1] + 1.1], [wave_y[-1]] * 2, color=ORANGE, lw=1.2, ls=(0, (3, 1.5)))
    ax.text(14.3, 5.9, "the edge sample is repeated;\nwithin one halo of an end,\nfiltered values depend on it.",
            fontsize=7.2, color=MUTED, va="top")  # fmt: skip
    return figure


if __name__ == "__main__":
    with paper_style():
        draw_plan().savefig(HERE / "plan.png", dpi=150)
        draw_halo().savefig(HERE / "halo.png", dpi=150)
