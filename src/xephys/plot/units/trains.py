"""Figures of spike times: rasters, correlograms, and intervals between spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...sorting import spike_times_s, unit_ids_of
from ..canvas.chosen import analyzed, chosen_units, colors_of, edges_of, unit_name, unit_panels
from ..canvas.style import MUTED, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_rasters(
    sorting: xr.DataTree,
    *,
    unit_ids: Any = None,
    start_s: float | None = None,
    duration_s: float = 10.0,
    n_units_max: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Plot the spikes of a window as ticks, one row per unit.

    Parameters
    ----------
    sorting
        Any sorting; its segments are drawn on the recording's clock.
    unit_ids
        Units to draw; None draws those with the most spikes.
    start_s, duration_s
        The window on the recording's clock; from the first spike if None.
    n_units_max
        Largest number of rows if no units are named.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(times_s=[0.5, 1.5, 2.5], labels=[3, 8, 3], sampling_frequency=30_000.0)
    >>> plot_rasters(sorting).get_xlabel()
    'time (s)'
    """
    check_positive(duration_s=duration_s)
    units = chosen_units(sorting, unit_ids, n_units_max)
    times = np.asarray(spike_times_s(sorting), np.float64)
    begin = float(times.min(initial=np.inf)) if start_s is None else start_s
    begin = begin if np.isfinite(begin) else 0.0
    row = np.full(len(unit_ids_of(sorting)), -1)
    row[units] = np.arange(len(units))
    rows = row[np.asarray(sorting["spikes"]["unit_index"].values, np.int64)]
    shown = (rows >= 0) & (times >= begin) & (times <= begin + duration_s)
    palette = np.array([*colors_of(units).values()] or ["black"])
    with paper_style():
        ax = axes_or_new(ax, figsize=(6.5, 0.9 + 0.17 * max(len(units), 4)))
        ax.vlines(times[shown], rows[shown] - 0.4, rows[shown] + 0.4, color=palette[rows[shown]], lw=0.6)
        ax.set_yticks(np.arange(len(units)), np.asarray(unit_ids_of(sorting))[units].astype(str))
        ax.set_ylim(-0.7, len(units) - 0.3)
        ax.set_xlim(begin, begin + duration_s)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("time (s)")
        ax.set_ylabel("unit")
    return ax


def plot_autocorrelograms(
    sorting: xr.DataTree, *, unit_ids: Any = None, n_units_max: int = 12, n_columns: int = 4, ax: Axes | None = None
) -> Axes:
    """Plot how many spikes of a unit follow its other spikes at each lag, one panel per unit.

    Parameters
    ----------
    sorting
        A sorting with the result ``auto_correlograms`` or ``correlograms`` of :func:`xephys.analyze`.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of panels if no units are named.
    n_columns
        Number of panels side by side.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them.

    Raises
    ------
    ParameterError
        If the result was not computed.

    Examples
    --------
    >>> from xephys import analyze
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["correlograms"])
    >>> len(plot_autocorrelograms(sorting).figure.axes)
    3
    """
    units = chosen_units(sorting, unit_ids, n_units_max)
    node, counts = _own_counts(sorting)
    colors = colors_of(units)
    with paper_style():
        frame, grid = unit_panels(ax, len(units), n_columns=n_columns, size=(1.6, 1.25))
        for panel, unit in zip(grid.flat, units, strict=False):
            _bars(panel, edges_of(node), counts[unit], colors[int(unit)])
            panel.set_title(unit_name(sorting, unit), fontsize=7, loc="center", pad=2)
        _label_outer(grid, len(units), "lag (ms)", "spikes")
    return frame


def _own_counts(sorting: xr.DataTree) -> tuple[xr.Dataset, NDArray[Any]]:
    from ...analysis.results import current_results

    results = current_results(sorting)
    if "auto_correlograms" in results:
        return results["auto_correlograms"], results["auto_correlograms"]["counts"].values
    (node,) = analyzed(sorting, "correlograms")
    return node, np.einsum("iik->ik", node["counts"].values)


def plot_crosscorrelograms(
    sorting: xr.DataTree, *, unit_ids: Any = None, n_units_max: int = 6, ax: Axes | None = None
) -> Axes:
    """Plot the correlograms of all pairs of units; the lag is how much later the spikes of the unit of the column are.

    Parameters
    ----------
    sorting
        A sorting with the result ``correlograms`` of :func:`xephys.analyze`.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of rows if no units are named.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them.

    Raises
    ------
    ParameterError
        If the result was not computed.

    Examples
    --------
    >>> from xephys import analyze
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["correlograms"])
    >>> len(plot_crosscorrelograms(sorting).figure.axes)
    5
    """
    units = chosen_units(sorting, unit_ids, n_units_max)
    (node,) = analyzed(sorting, "correlograms")
    counts, edges = node["counts"].values, edges_of(node)
    colors = colors_of(units)
    n = len(units)
    with paper_style():
        frame, grid = unit_panels(ax, n * n, n_columns=max(n, 1), size=(1.15, 0.95))
        for place, panel in enumerate(grid.flat):
            row, column = divmod(place, n)
            one, other = units[row], units[column]
            # Counts are by the lag of the row's spikes after the column's; exchanging the units reverses that.
            values = counts[other, one]
            _bars(panel, edges, values, colors[int(one)] if row == column else MUTED)
            if row == 0:
                panel.set_title(unit_name(sorting, other), fontsize=7, loc="center", pad=2)
            if column == 0:
                panel.set_ylabel(unit_name(sorting, one), fontsize=7)
            if row == n - 1:
                panel.set_xlabel("lag (ms)")
            else:
                panel.set_xticklabels([])
    return frame


def plot_isi_distribution(
    sorting: xr.DataTree, *, unit_ids: Any = None, n_units_max: int = 12, n_columns: int = 4, ax: Axes | None = None
) -> Axes:
    """Plot the intervals between neighboring spikes of a unit, one panel per unit.

    Parameters
    ----------
    sorting
        A sorting with the result ``isi_histograms`` of :func:`xephys.analyze`.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of panels if no units are named.
    n_columns
        Number of panels side by side.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them.

    Raises
    ------
    ParameterError
        If the result was not computed.

    Examples
    --------
    >>> from xephys import analyze
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["isi_histograms"])
    >>> len(plot_isi_distribution(sorting).figure.axes)
    3
    """
    units = chosen_units(sorting, unit_ids, n_units_max)
    (node,) = analyzed(sorting, "isi_histograms")
    colors = colors_of(units)
    with paper_style():
        frame, grid = unit_panels(ax, len(units), n_columns=n_columns, size=(1.6, 1.25))
        for panel, unit in zip(grid.flat, units, strict=False):
            _bars(panel, edges_of(node), node["counts"].values[unit], colors[int(unit)])
            panel.set_title(unit_name(sorting, unit), fontsize=7, loc="center", pad=2)
        _label_outer(grid, len(units), "interval (ms)", "intervals")
    return frame


def _bars(panel: Axes, edges: NDArray[np.float64], counts: NDArray[Any], color: str) -> None:
    panel.stairs(counts, edges, fill=True, color=color, lw=0)
    panel.set_xlim(edges[0], edges[-1])
    panel.set_ylim(0, max(1.0, 1.05 * float(counts.max(initial=0))))
    panel.locator_params(axis="y", nbins=2, integer=True)
    panel.locator_params(axis="x", nbins=3)


def _label_outer(grid: NDArray[Any], n: int, xlabel: str, ylabel: str) -> None:
    """Label the panels at the left, and the last panel of each column from below."""
    if not n:
        return
    rows, columns = grid.shape
    for column in range(columns):
        last = max(row for row in range(rows) if row * columns + column < n)
        grid[last, column].set_xlabel(xlabel)
    for row in range(rows):
        grid[row, 0].set_ylabel(ylabel)
