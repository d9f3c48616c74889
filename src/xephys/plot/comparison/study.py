"""A study in one figure: how well each sorter finds the units, how many it finds, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..canvas.style import FAINT, INK, MUTED, UNIT_COLORS, axes_for_panels, panels_in, paper_style, whole_numbers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ...comparison.study import GroundTruthStudy

#: Kinds of units in the panel of counts, in order, and their colors.
_KINDS = {
    "num_well_detected": ("well detected", UNIT_COLORS[2]),
    "num_overmerged": ("overmerged", UNIT_COLORS[3]),
    "num_redundant": ("redundant", UNIT_COLORS[4]),
    "num_false_positive": ("false", UNIT_COLORS[1]),
}


def plot_study(study: GroundTruthStudy, *, ax: Axes | None = None) -> Axes:
    """Plot accuracies, their dependence on the signal-to-noise ratio, counts of units and run times of a study.

    Parameters
    ----------
    study
        A study with results. Missing signal-to-noise ratios are computed.
    ax
        Axes whose place the four panels take; a new figure if None.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.comparison import GroundTruthStudy
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=8, n_units=2, seed=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> study = GroundTruthStudy.create(folder.name + "/study", {"monday": (recording, truth)})
    >>> _ = study.run_sorters(["xephys_default"])
    >>> len(plot_study(study).figure.axes)
    5
    >>> folder.cleanup()
    """
    units, counts = study.aggregate_performance_by_unit(), study.aggregate_count_units()
    times, snr = study.aggregate_run_times(), study.concat_all_snr()["snr"]
    names = study.sorter_names
    with paper_style():
        ax = axes_for_panels(ax, figsize=(7.0, 5.0))
        (ranked, by_snr), (numbers, taken) = panels_in(ax, 2, 2)
        for number, name in enumerate(names):
            color = UNIT_COLORS[number % len(UNIT_COLORS)]
            if name not in units.index.get_level_values("sorter_name"):
                continue
            own = units.xs(name, level="sorter_name")
            accuracy = own["accuracy"].to_numpy(float)
            rank = np.arange(1, len(own) + 1)
            # Wider marks are below narrower ones, so that sorters with the same scores are all visible.
            look = {"ms": 3 + 1.5 * (len(names) - 1 - number), "color": color, "mew": 0}
            ranked.plot(rank, np.sort(accuracy)[::-1], "-o", lw=look["ms"] / 3, label=name, **look)
            by_snr.plot(snr.loc[own.index].to_numpy(float), accuracy, "o", **look)
        ranked.set(xlabel="true units of all recordings, best first", ylabel="accuracy", title="Accuracy")
        by_snr.set(xlabel="signal-to-noise ratio", ylabel="accuracy", title="Accuracy by size")
        for panel in (ranked, by_snr):
            panel.axhline(0.8, color=MUTED, lw=0.6, ls=":")
            panel.set_ylim(-0.03, 1.05)
        whole_numbers(ranked.xaxis)
        ranked.legend(loc="lower left")
        _draw_counts(numbers, counts, names)
        _draw_times(taken, times, names)
    return ax


def _draw_counts(ax: Axes, counts: pd.DataFrame, names: list[str]) -> None:
    """Bars of the units of each kind, grouped by sorter; a line marks the number of true units."""
    shown = {kind: look for kind, look in _KINDS.items() if kind in counts}
    sums = counts.groupby(level="sorter_name").sum().reindex(names, fill_value=0)
    width = 0.8 / len(shown)
    for number, (kind, (label, color)) in enumerate(shown.items()):
        place = np.arange(len(names)) + (number - (len(shown) - 1) / 2) * width
        ax.bar(place, sums[kind], width=0.9 * width, color=color, label=label)
    for number, total in enumerate(sums["num_gt"]):
        ax.plot([number - 0.45, number + 0.45], [total, total], color=INK, lw=0.8)
    ax.set(title="Units (line: true units)", ylabel="units of all recordings")
    ax.set_xticks(range(len(names)), names)
    ax.set_ylim(0, 1.4 * max(1, sums["num_gt"].max()))
    if len(shown) > 1:
        ax.legend(loc="upper center", ncols=2)


def _draw_times(ax: Axes, times: pd.DataFrame, names: list[str]) -> None:
    """Run times of each recording, with a cross for the runs that failed."""
    from matplotlib.ticker import LogLocator, NullFormatter

    done = times["status"] == "done"
    sorter = times.index.get_level_values("sorter_name")
    place = np.array([names.index(name) for name in sorter])
    seconds = times["run_time"].to_numpy(float)
    ax.plot(place[done], seconds[done], "o", ms=4, color=UNIT_COLORS[0], alpha=0.7, mew=0, label="done")
    if not done.all():
        ax.plot(place[~done], seconds[~done], "x", ms=5, color=UNIT_COLORS[1], label="failed")
        ax.legend(loc="best")
    ax.set(title="Run times", ylabel="seconds", yscale="log")
    ax.set_xticks(range(len(names)), names)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.grid(axis="y", color=FAINT, lw=0.4)
