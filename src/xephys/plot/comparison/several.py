"""Figures of several sortings of one recording: how many find each unit, and which units are the same neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...comparison.several import MultiSortingComparison
from ..canvas.style import FAINT, INK, UNIT_COLORS, axes_or_new, paper_style, unit_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_multicomp_agreement(comparison: MultiSortingComparison, *, ax: Axes | None = None) -> Axes:
    """Plot how many agreed units are found by one, two, ... of the sortings.

    Parameters
    ----------
    comparison
        The result of :func:`xephys.comparison.compare_multiple_sorters`.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> one = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> several = xephys.comparison.compare_multiple_sorters([one, one, one])
    >>> plot_multicomp_agreement(several).get_ylabel()
    'units'
    """
    n_sortings = len(comparison.name_list)
    counts = np.bincount(comparison.units["agreement_number"].values, minlength=n_sortings + 1)[1:]
    with paper_style():
        ax = axes_or_new(ax, figsize=(1.2 + 0.5 * n_sortings, 2.6))
        bars = ax.bar(np.arange(1, n_sortings + 1), counts, 0.75, color=_shades(n_sortings))
        ax.bar_label(bars, fontsize=7, padding=1)
        ax.set_xticks(np.arange(1, n_sortings + 1))
        ax.set_xlabel("sortings that agree")
        ax.set_ylabel("units")
        ax.margins(y=0.12)
    return ax


def plot_multicomp_agreement_by_sorter(comparison: MultiSortingComparison, *, ax: Axes | None = None) -> Axes:
    """Plot how many units of each sorting are found by none, one, ... of the others.

    Parameters
    ----------
    comparison
        The result of :func:`xephys.comparison.compare_multiple_sorters`.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> one = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> several = xephys.comparison.compare_multiple_sorters([one, one], name_list=["a", "b"])
    >>> [label.get_text() for label in plot_multicomp_agreement_by_sorter(several).get_xticklabels()]
    ['a', 'b']
    """
    n_sortings = len(comparison.name_list)
    has = comparison.units["member"].values >= 0
    number = comparison.units["agreement_number"].values
    colors = _shades(n_sortings)
    with paper_style():
        ax = axes_or_new(ax, figsize=(1.8 + 0.6 * n_sortings, 2.6))
        below = np.zeros(n_sortings)
        for k in range(n_sortings, 0, -1):  # the units on which all sortings agree are at the bottom
            counts = (has & (number == k)[:, None]).sum(axis=0)
            ax.bar(np.arange(n_sortings), counts, 0.75, bottom=below, color=colors[k - 1], label=_who(k, n_sortings))
            below = below + counts
        ax.set_xticks(np.arange(n_sortings), comparison.name_list)
        ax.set_ylabel("units")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def plot_multicomp_graph(comparison: MultiSortingComparison, *, names: bool = True, ax: Axes | None = None) -> Axes:
    """Plot units as dots, one column per sorting and one row per agreed unit, with lines between matched units.

    The thicker the line, the better the agreement; matches that were dropped are dotted.

    Parameters
    ----------
    comparison
        The result of :func:`xephys.comparison.compare_multiple_sorters`.
    names
        Whether to write the names of the units beside the dots.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> one = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> several = xephys.comparison.compare_multiple_sorters([one, one])
    >>> len(plot_multicomp_graph(several).lines) == 2
    True
    """
    nodes, edges, units = comparison.nodes, comparison.edges, comparison.units
    rank = np.empty(units.sizes["unit"], np.int64)  # units that more sortings share are higher
    order = np.lexsort((units["avg_agreement"].values, units["agreement_number"].values))
    rank[order] = np.arange(len(order))
    x = nodes["sorting"].values
    y = rank[nodes["group"].values].astype(np.float64)
    ids = [unit for one in comparison.spikes for unit in one.unit_ids.tolist()]
    with paper_style():
        ax = axes_or_new(ax, figsize=(1.4 + 1.1 * len(comparison.name_list), 0.9 + 0.17 * max(len(order), 6)))
        for (first, second), weight, kept in zip(
            edges["node"].values, edges["agreement"].values, edges["kept"].values, strict=True
        ):
            bent = 0.12 if abs(x[second] - x[first]) > 1 and y[first] == y[second] else 0.0  # avoids columns in between
            along = np.linspace(0.0, 1.0, 21)
            ax.plot(
                x[first] + along * (x[second] - x[first]),
                y[first] + along * (y[second] - y[first]) + 4 * bent * along * (1 - along) * 2,
                color=UNIT_COLORS[0] if kept else FAINT,
                lw=0.4 + 2.0 * float(weight),
                ls="-" if kept else ":",
                alpha=0.6,
                zorder=1,
            )
        shared = units["agreement_number"].values[nodes["group"].values]
        colors = np.array(_shades(len(comparison.name_list)))[shared - 1]
        ax.scatter(x, y, s=26, c=colors.tolist(), edgecolors=INK, lw=0.5, zorder=2)
        if names:
            for k, name in enumerate(ids):
                ax.annotate(str(name), (x[k], y[k]), (5, 2), textcoords="offset points", fontsize=5.5)
        ax.set_xticks(np.arange(len(comparison.name_list)), comparison.name_list)
        ax.set_xlim(-0.4, len(comparison.name_list) - 0.5)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_ylabel("units, most agreed on top")
    return ax


def _who(k: int, n_sortings: int) -> str:
    if k == 1:
        return "this one alone"
    return f"all {k}" if k == n_sortings else f"{k} of {n_sortings}"


def _shades(n: int) -> list[str]:
    """Colors of 1 to n sortings that agree: light grey for one, the darkest blue for all."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    if n < 2:
        return [unit_color(0)]
    cmap = LinearSegmentedColormap.from_list("agreement", [FAINT, "#A8C8E0", UNIT_COLORS[0], "#002B45"])
    return [to_hex(cmap(k / (n - 1))) for k in range(n)]
