"""Figures that compare two sortings: how well units agree, and how collisions are resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ...checks import check_positive
from ..canvas.chosen import unit_panels
from ..canvas.style import FAINT, INK, MUTED, UNIT_COLORS, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: With more rows or columns than this, the numbers would be too small to read.
NUMBERS_MAX = 14


def plot_agreement(scores: Any, *, ax: Axes | None = None) -> Axes:
    """Plot the agreement of each unit of one sorting with each unit of another, with the best matches on the diagonal.

    Parameters
    ----------
    scores
        ``get_ordered_agreement_scores()`` of a comparison, the comparison itself, or any table of scores from 0 to 1
        with the units as its index and columns.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> one = xephys.make_sorting(truth.spikes[["sample_index", "unit_index"]], recording=recording)
    >>> plot_agreement(xephys.comparison.compare_two_sorters(one, one)).get_xlabel()
    'units of the second sorting'
    """
    from matplotlib.colors import LinearSegmentedColormap

    table = scores.get_ordered_agreement_scores() if hasattr(scores, "get_ordered_agreement_scores") else scores
    values = np.asarray(table.to_numpy(), np.float64)
    with paper_style():
        ax = axes_or_new(ax, figsize=(4.0, 3.6))
        cmap = LinearSegmentedColormap.from_list("score", ["#FFFFFF", "#A8C8E0", UNIT_COLORS[0], "#002B45"])
        image = ax.imshow(values, cmap=cmap, vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        for axis, names in ((ax.xaxis, table.columns), (ax.yaxis, table.index)):
            shown = np.arange(0, len(names), max(1, -(-len(names) // 20)))
            axis.set_ticks(shown, [str(names[k]) for k in shown])
            axis.set_tick_params(length=0, labelsize=6.5)
        if max(values.shape, default=0) <= NUMBERS_MAX:
            for row, column in zip(*np.nonzero(values >= 0.05), strict=True):
                score = values[row, column]
                ax.text(
                    column, row, f"{score:.2f}", ha="center", va="center", fontsize=6,
                    color="white" if score > 0.5 else INK,
                )  # fmt: skip
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_xlabel("units of the second sorting")
        ax.set_ylabel("units of the first sorting")
        figure: Any = ax.figure
        bar = figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04)
        bar.set_label("agreement")
        bar.outline.set_visible(False)
    return ax


def plot_comparison_collision_pair_by_pair(
    collisions: Any, *, unit_ids: Any = None, n_units_max: int = 5, ax: Axes | None = None
) -> Axes:
    """Plot the collisions of each pair of true units by lag: all collisions, those found, and the recall.

    Each panel shows the spikes of the unit of its row; the lag is how much later the spike of the column's unit is.

    Parameters
    ----------
    collisions
        A collision comparison, or its counts: a Dataset with ``num_found`` and ``num_missed`` ``(truth_unit,
        other_unit, lag)`` and ``lag`` in milliseconds.
    unit_ids
        Units to draw; None draws those with the most collisions.
    n_units_max
        Largest number of rows if no units are named.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them.

    Examples
    --------
    >>> counts = np.ones((2, 2, 3), int)
    >>> dims = ("truth_unit", "other_unit", "lag")
    >>> coords = {"truth_unit": [0, 1], "other_unit": [0, 1], "lag": [-1.0, 0.0, 1.0]}
    >>> node = xr.Dataset({"num_found": (dims, counts), "num_missed": (dims, counts)}, coords=coords)
    >>> len(plot_comparison_collision_pair_by_pair(node).figure.axes) > 2
    True
    """
    check_positive(n_units_max=n_units_max)
    counts = collisions if isinstance(collisions, xr.Dataset) else collisions.counts
    total = counts["num_found"] + counts["num_missed"]
    if unit_ids is None:
        of_unit = total.sum(["other_unit", "lag"]).values
        place = np.sort(np.argsort(-of_unit, kind="stable")[:n_units_max])
        unit_ids = counts["truth_unit"].values[place]
    names = np.atleast_1d(np.asarray(unit_ids)).tolist()
    found = counts["num_found"].sel(truth_unit=names, other_unit=names).values
    total = total.sel(truth_unit=names, other_unit=names).values
    lag = np.asarray(counts["lag"].values, np.float64)
    width = 0.9 * (lag[1] - lag[0] if len(lag) > 1 else 1.0)
    n = len(names)
    with paper_style():
        frame, grid = unit_panels(ax, n * n, n_columns=max(n, 1), size=(1.25, 1.05))
        for place, panel in enumerate(grid.flat):
            row, column = divmod(place, n)
            if row == column:
                panel.text(0.5, 0.5, f"unit {names[row]}", transform=panel.transAxes, ha="center", va="center")
                panel.set_axis_off()
                continue
            panel.bar(lag, total[row, column], width, color=FAINT, label="collisions")
            panel.bar(lag, found[row, column], width, color=UNIT_COLORS[0], label="found")
            panel.set_ylim(0, 1.1 * max(float(total[row, column].max(initial=0)), 1.0))
            panel.locator_params(axis="y", nbins=2, integer=True)
            beside = panel.twinx()
            share = found[row, column] / np.where(total[row, column] > 0, total[row, column], np.nan)
            beside.plot(lag, share, "-o", color=UNIT_COLORS[1], ms=1.8, lw=0.8, label="recall")
            beside.set_ylim(0, 1.1)
            beside.set_yticks([0, 1])
            beside.spines["top"].set_visible(False)
            beside.tick_params(labelright=column == n - 1, colors=UNIT_COLORS[1])
            if column == n - 1 or (row == n - 1 and column == n - 2):
                beside.set_ylabel("recall", color=UNIT_COLORS[1])
            if column == 0 or (row == 0 and column == 1):
                panel.set_ylabel("collisions", color=MUTED)
            if row == n - 1 or (column == n - 1 and row == n - 2):
                panel.set_xlabel("lag (ms)")
    return frame


def plot_comparison_collision_by_similarity(
    collisions: Any, similarity: Any, *, good_only: bool = False, ax: Axes | None = None
) -> Axes:
    """Plot the recall of colliding spikes by lag, with pairs of true units ordered by template similarity.

    Parameters
    ----------
    collisions
        The result of :func:`xephys.comparison.compare_collisions`.
    similarity
        Similarity of each pair of true units, such as ``/analysis/template_similarity``.
    good_only
        Use only pairs in which both units were found well.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> truth = xephys.make_sorting(sample_index=[10, 11, 300], labels=[1, 2, 1], sampling_frequency=1000.0)
    >>> collisions = xephys.comparison.compare_collisions(truth, truth)
    >>> plot_comparison_collision_by_similarity(collisions, np.eye(2)).get_xlabel()
    'lag (ms)'
    """
    from matplotlib.colors import LinearSegmentedColormap

    table = collisions.recall_by_similarity(similarity, good_only=good_only)
    lag = np.asarray(table["lag"].values, np.float64)
    half = (lag[1] - lag[0]) / 2 if len(lag) > 1 else 0.5
    alike, n_pairs = table["similarity"].values, table.sizes["pair"]
    with paper_style():
        ax = axes_or_new(ax, figsize=(4.0, 3.4))
        cmap = LinearSegmentedColormap.from_list("recall", ["#D55E00", "#F4E3B2", UNIT_COLORS[0]])
        cmap.set_bad("#EDEDED")
        image = ax.imshow(
            np.ma.masked_invalid(table["recall"].values), origin="lower", aspect="auto", cmap=cmap, vmin=0, vmax=1,
            extent=(lag[0] - half, lag[-1] + half, -0.5, max(n_pairs, 1) - 0.5), interpolation="nearest",
        )  # fmt: skip
        shown = np.unique(np.linspace(0, max(n_pairs - 1, 0), min(n_pairs, 6)).round().astype(int))
        ax.set_yticks(shown, [f"{alike[k]:.2f}" for k in shown])
        ax.set_xlabel("lag (ms)")
        ax.set_ylabel("pairs of units, by similarity")
        figure: Any = ax.figure
        bar = figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04)
        bar.set_label("recall of colliding spikes")
        bar.outline.set_visible(False)
    return ax
