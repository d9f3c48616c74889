"""The picture of ``docs/explanation/mixture.md``: labels before and after, what is observed, and the log of changes.

python docs/figures/mixture.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import xephys
from xephys.plot.canvas.style import FAINT, INK, MUTED, paper_style, unit_color

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "benchmarks"))

from mixture import KINDS, simulated, wrong_labels  # noqa: E402

SEED = 3
COLORS = {"fit": MUTED, "split": "#D55E00", "merge": "#0072B2", "demolish": "#009E73"}


def main() -> None:
    spikes = simulated(SEED, n_units=8, n_spikes=5000)
    start = wrong_labels(spikes, KINDS[-1], SEED)
    found = xephys.cluster_by_mixture(spikes.features, spikes.channels, start, neighbors=spikes.neighbors)
    with paper_style():
        figure, axes = plt.subplots(2, 2, figsize=(9.0, 6.6), layout="constrained")
        place = places(spikes)
        draw_labels(axes[0, 0], place, start, "(a) start: pairs merged, units cut")
        draw_labels(axes[0, 1], place, found.labels, "(b) mixture: the units of the simulation")
        draw_observed(axes[1, 0], spikes, found)
        draw_changes(axes[1, 1], found.decisions)
        figure.savefig(HERE / "mixture.png", dpi=105)


def places(spikes: Any) -> Any:
    """Principal axes of the spikes of two pairs, on the channels that are observed, zero elsewhere."""
    full = np.zeros((len(spikes.truth), len(spikes.positions), spikes.features.shape[2]))
    np.put_along_axis(full, spikes.neighbors[spikes.channels][:, :, None], spikes.features, axis=1)
    flat = full.reshape(len(full), -1) - full.reshape(len(full), -1).mean(axis=0)
    near = spikes.truth < 4
    axes = np.linalg.svd(flat[near] - flat[near].mean(axis=0), full_matrices=False)[2][:2]
    return np.where(near[:, None], flat @ axes.T, np.nan)


def draw_labels(ax: Any, place: Any, labels: Any, title: str) -> None:
    shown = np.isfinite(place[:, 0])
    counts = np.bincount(labels[shown & (labels >= 0)])
    rank = np.empty(len(counts), int)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    for label in np.unique(labels[shown]):
        own = shown & (labels == label)
        color = unit_color(int(rank[label])) if label >= 0 else FAINT
        ax.plot(*place[own].T, ".", ms=2.5, color=color, zorder=1 if label < 0 else 2)
    ax.set(xlabel="first principal axis (noise units)", ylabel="second")
    ax.set_title(title)


def draw_observed(ax: Any, spikes: Any, found: Any) -> None:
    """Size of the mean of one unit on each channel, and the share of its spikes that observed the channel."""
    unit = int(np.bincount(found.labels[found.labels >= 0]).argmax())
    observed = np.zeros(len(spikes.positions))
    own = found.labels == unit
    np.add.at(observed, spikes.neighbors[spikes.channels[own]].ravel(), 1 / own.sum())
    size = np.linalg.norm(found.model["mean"].values[unit], axis=1)
    channels = np.flatnonzero(observed)
    ax.bar(channels, observed[channels], color=FAINT, width=0.9)
    ax.set(xlabel="channel", ylabel="share of the unit's spikes observed there", ylim=(0, 1.05))
    twin = ax.twinx()
    twin.plot(channels, size[channels], "o-", color=INK, ms=3, lw=1.0)
    twin.set(ylabel="mean (noise units)", ylim=(0, None))
    ax.set_title("(c) one unit: its mean, and who observed it")


def draw_changes(ax: Any, changes: Any) -> None:
    """Held-out criterion after every entry of the log; those accepted together share one value."""
    value = changes["criterion"]
    ax.step(np.arange(len(value)), value, where="post", color=INK, lw=0.9, zorder=1)
    for action, color in COLORS.items():
        own = np.flatnonzero(changes["action"] == action)
        if len(own):
            ax.plot(own, value[own], "o", ms=4, color=color, label=action, zorder=2)
    ax.set(xlabel="entry of the log", ylabel="held-out criterion (nats per spike)")
    ax.legend(frameon=False, loc="lower right")
    ax.set_title("(d) every accepted change raises it")


if __name__ == "__main__":
    main()
