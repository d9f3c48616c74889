"""Tables and figures of the simulated recordings, from what ``simulated_recordings.py sort`` has stored."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from xephys.plot.canvas.style import FAINT, INK, MUTED, paper_style

COLORS = {"easy": "#009E73", "hard": "#0072B2", "easy + drift": "#E69F00", "hard + drift": "#D55E00"}
WELL = 0.8


def draw_all(results: dict[str, Any], snr_edges: tuple[float, ...], folder: Path) -> None:
    page = folder.parent / "how_good_is_it.md"
    text = page.read_text()
    for name, table in (("settings", settings_table(results)), ("strata", strata_table(results, snr_edges))):
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda match, table=table: match[1] + table + match[2], text)
    page.write_text(text)
    with paper_style():
        accuracy_figure(results, snr_edges).savefig(folder / "accuracy_by_snr.png", dpi=150)


def units_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [unit for run in result["runs"] for unit in run["units"]]


def settings_table(results: dict[str, Any]) -> str:
    lines = [
        "| setting | channels × s, seeds | units | found (≥ 0.8) | mean accuracy | recall | precision | "
        "extra units: copies / other |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        parameters, units = result["parameters"], units_of(result)
        mean = {key: np.mean([unit[key] for unit in units]) for key in ("accuracy", "recall", "precision")}
        found = sum(unit["accuracy"] >= WELL for unit in units)
        copies = sum(t["kind"] == "redundant" for run in result["runs"] for t in run["tested"])
        other = sum(t["kind"] in ("false positive", "unmatched") for run in result["runs"] for t in run["tested"])
        size = f"{parameters['n_channels']} × {parameters['duration_s']:g}, {len(result['runs'])}"
        scores = " | ".join(f"{mean[key]:.2f}" for key in ("accuracy", "recall", "precision"))
        lines.append(f"| {name} | {size} | {len(units)} | {found} | {scores} | {copies} / {other} |")
    return "\n".join(lines) + "\n"


def strata(units: list[dict[str, Any]], snr_edges: tuple[float, ...]) -> list[tuple[str, list[dict[str, Any]]]]:
    out = [("all", units)]
    for low, high in pairwise(snr_edges):
        label = f"SNR {low:g}–{high:g}" if np.isfinite(high) else f"SNR above {low:g}"
        out.append((label, [unit for unit in units if low <= unit["snr"] < high]))
    seen = [unit for unit in units if unit["snr"] >= 5]
    for kind in ("bursting", "partial", "positive"):
        out.append((f"{kind}, SNR above 5", [unit for unit in seen if unit[kind]]))
    plain = [unit for unit in seen if not (unit["bursting"] or unit["partial"] or unit["positive"])]
    out.append(("none of these, SNR above 5", plain))
    out.append(("few spikes (below 200), SNR above 5", [unit for unit in seen if unit["spikes"] < 200]))
    return out


def strata_table(results: dict[str, Any], snr_edges: tuple[float, ...]) -> str:
    names = [name for name in ("hard", "hard + drift") if name in results]
    head = " | ".join(f"{name}: units, found, mean accuracy" for name in names)
    lines = [f"| stratum | {head} |", "|---|" + "---|" * len(names)]
    columns = [dict(strata(units_of(results[name]), snr_edges)) for name in names]
    for stratum in columns[0]:
        cells = []
        for column in columns:
            scores = [unit["accuracy"] for unit in column[stratum]]
            found = sum(score >= WELL for score in scores)
            cells.append(f"{len(scores)}, {found}, {np.mean(scores):.2f}" if scores else "–")
        lines.append(f"| {stratum} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def accuracy_figure(results: dict[str, Any], snr_edges: tuple[float, ...]) -> Any:
    """Accuracy of each true unit against its SNR, hard setting left, with drift right."""
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.4), sharey=True, layout="constrained")
    for ax, names in zip(axes, (("easy", "hard"), ("easy + drift", "hard + drift")), strict=True):
        ax.axhline(WELL, color=FAINT, lw=0.8, zorder=0)
        for name in names:
            units = units_of(results[name])
            snr, accuracy = (np.array([unit[key] for unit in units]) for key in ("snr", "accuracy"))
            ax.plot(
                snr, accuracy, "o", ms=4, alpha=0.75, mew=0, color=COLORS[name], label=f"{name}, {len(units)} units"
            )
        for marker, key in (("s", "bursting"), ("D", "partial"), ("^", "positive")):
            chosen = [unit for unit in units_of(results[names[1]]) if unit[key]]
            x, y = [unit["snr"] for unit in chosen], [unit["accuracy"] for unit in chosen]
            ax.plot(x, y, marker, ms=7.5, mfc="none", mec=INK, mew=0.7, label=f"{key} ({names[1]})")
        for edge in snr_edges[1:-1]:
            ax.axvline(edge, color=FAINT, lw=0.5, ls=(0, (1, 3)), zorder=0)
        ax.set(xscale="log", xlabel="SNR: peak amplitude / noise level, best channel", ylim=(-0.03, 1.04))
        ticks = [2, 3, 5, 8, 12, 20, 30]
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.minorticks_off()
        ax.legend(loc="lower right", fontsize=6.5, handletextpad=0.3, bbox_to_anchor=(1.0, 0.08))
    axes[0].set_ylabel("accuracy of the true unit")
    axes[0].set_title("without drift")
    axes[1].set_title("30 µm of drift", color=MUTED)
    return figure
