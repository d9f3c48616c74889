"""Figures of the amplitudes of spikes: over time, as distributions, and against depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...analysis.results import current_results
from ...checks import check_positive
from ...errors import ParameterError
from ...io.export.complete import peak_channels
from ...recording.geometry import shank_labels
from ...sorting import spike_times_s, unit_ids_of
from ..canvas.chosen import chosen_units, colors_of, unit_name
from ..canvas.strips import Strips
from ..canvas.style import FAINT, INK, axes_or_new, paper_style, shown_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: With more dots than this per unit, the dots hide each other.
N_SPIKES_MAX = 5000


def plot_amplitudes(
    sorting: xr.DataTree, *, unit_ids: Any = None, n_units_max: int = 6, seed: int = 0, ax: Axes | None = None
) -> Axes:
    """Plot the amplitude of each spike over time, with one color per unit.

    Parameters
    ----------
    sorting
        A sorting with the result ``spike_amplitudes`` of :func:`xephys.analyze`, or with amplitudes from the sorter.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of units if none are named.
    seed
        Seed for choosing spikes of a unit that has too many to draw.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the spikes have no amplitudes.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> plot_amplitudes(truth_sorting(recording, truth)).get_ylabel()
    'amplitude (µV)'
    """
    units = chosen_units(sorting, unit_ids, n_units_max)
    values, unit = amplitudes_of(sorting)
    times = np.asarray(spike_times_s(sorting), np.float64)
    owner = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)
    rng = np.random.default_rng(seed)
    with paper_style():
        ax = axes_or_new(ax, figsize=(6.5, 2.8))
        for number, color in colors_of(units).items():
            own = np.flatnonzero(owner == number)
            own = own if len(own) <= N_SPIKES_MAX else rng.choice(own, N_SPIKES_MAX, replace=False)
            size = float(np.clip(4e3 / max(len(own), 1), 1.0, 8.0))
            ax.scatter(
                times[own], values[own], s=size, color=color, lw=0, alpha=0.7, label=unit_name(sorting, number),
                rasterized=True,
            )  # fmt: skip
        ax.set_xlabel("time (s)")
        ax.set_ylabel(f"amplitude ({unit})")
        if len(units):
            ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2.0, handletextpad=0.1)
    return ax


def amplitudes_of(sorting: xr.DataTree) -> tuple[NDArray[np.float64], str]:
    """The amplitude of each spike and its unit of measure: as analyzed if available, otherwise from the sorter.

    Raises
    ------
    ParameterError
        If the spikes have no amplitudes.
    """
    node = current_results(sorting).get("spike_amplitudes")
    if node is not None:
        return np.asarray(node["amplitude"].values, np.float64), shown_unit(node["amplitude"])
    if "amplitude" not in sorting["spikes"]:
        raise ParameterError(
            "the spikes have no amplitudes; call xephys.analyze(sorting, recording, ['spike_amplitudes']) first"
        )
    amplitude = sorting["spikes"]["amplitude"]
    return np.asarray(amplitude.values, np.float64), shown_unit(amplitude)


def plot_amplitude_distributions(
    sorting: xr.DataTree, *, unit_ids: Any = None, n_units_max: int = 30, ax: Axes | None = None
) -> Axes:
    """Plot the distribution of each unit's amplitudes as a violin with the median and the middle half.

    Parameters
    ----------
    sorting
        A sorting with the result ``spike_amplitudes`` of :func:`xephys.analyze`, or with amplitudes from the sorter.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of units if none are named.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the spikes have no amplitudes.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> plot_amplitude_distributions(truth_sorting(recording, truth)).get_xlabel()
    'unit'
    """
    units = chosen_units(sorting, unit_ids, n_units_max)
    values, unit = amplitudes_of(sorting)
    owner = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)
    with paper_style():
        ax = axes_or_new(ax, figsize=(max(2.6, 0.9 + 0.32 * len(units)), 2.8))
        for place, (number, color) in enumerate(colors_of(units).items()):
            _violin(ax, place, values[owner == number], color)
        ax.set_xticks(np.arange(len(units)), np.asarray(unit_ids_of(sorting))[units].astype(str))
        ax.set_xlim(-0.7, max(len(units), 1) - 0.3)
        ax.set_xlabel("unit")
        ax.set_ylabel(f"amplitude ({unit})")
    return ax


def _violin(ax: Axes, place: int, values: NDArray[np.float64], color: str) -> None:
    """Draw a smoothed histogram on both sides of a line, with the quartiles on the line."""
    from scipy.ndimage import gaussian_filter1d

    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if high > low:
        margin = 0.1 * (high - low)
        counts, edges = np.histogram(values, bins=60, range=(low - margin, high + margin))
        width = gaussian_filter1d(counts.astype(np.float64), 2.0)
        width *= 0.42 / width.max()
        middle = (edges[:-1] + edges[1:]) / 2
        ax.fill_betweenx(middle, place - width, place + width, color=color, alpha=0.45, lw=0)
    first, median, third = np.quantile(values, [0.25, 0.5, 0.75])
    ax.plot([place, place], [first, third], color=INK, lw=1.6, solid_capstyle="butt")
    ax.plot(place, median, "o", color="white", mec=INK, mew=0.8, ms=3.2)


def plot_unit_depths(
    sorting: xr.DataTree, *, size_max: float = 120.0, names: bool | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the depth of each unit against its amplitude, shank by shank; the area of a dot grows with the firing rate.

    Parameters
    ----------
    sorting
        A sorting with locations and amplitudes of the units, from the sorter or from :func:`xephys.analyze`
        (``unit_locations``, ``spike_amplitudes``).
    size_max
        Area of the largest dot, in square points.
    names
        Whether to write the names of the units; None writes them for up to 40 units.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If locations or amplitudes are missing.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> plot_unit_depths(truth_sorting(recording, truth)).get_ylabel()
    'depth (µm)'
    """
    check_positive(size_max=size_max)
    units = chosen_units(sorting, None, 1 << 30)
    table, results = sorting["units"].dataset, current_results(sorting)
    depth = results["unit_locations"]["y"].values if "unit_locations" in results else table.get("y")
    if depth is None:
        raise ParameterError(
            "the units have no depths; call xephys.analyze(sorting, recording, ['unit_locations']) first"
        )
    values, unit = amplitudes_of(sorting)
    owner = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)
    counts = np.bincount(owner, minlength=len(units))
    order = np.lexsort((values, owner))
    ends = np.cumsum(counts)
    middle = np.clip(ends - counts + counts // 2, 0, max(len(order) - 1, 0))
    amplitude = np.abs(values[order][middle]) if len(order) else np.zeros(len(units))  # median of each unit
    rate = counts / max(float(counts.max(initial=1)), 1.0)
    noise = table["label"].values.astype(str) == "noise"
    colors = np.array([*colors_of(units).values()], dtype=object)
    colors[noise] = FAINT
    depth, strips = np.asarray(depth, np.float64), None
    if "templates" in sorting.children:
        shanks, number = np.unique(shank_labels(sorting["templates"].dataset), return_inverse=True)
        if len(shanks) > 1:
            strips = Strips.of(depth, shanks)
            depth = depth + strips.offset_um(number[peak_channels(sorting)])
    with paper_style():
        ax = axes_or_new(ax, figsize=(3.0, 3.6))
        ax.scatter(
            amplitude, depth, s=8 + (size_max - 8) * rate, c=list(colors), alpha=0.8,
            edgecolors="white", lw=0.5,
        )  # fmt: skip
        ax.set_xlim(left=0)
        ax.set_xlabel(f"median amplitude ({unit})")
        ax.set_ylabel("depth (µm)")
        if strips is not None:
            strips.mark(ax)
        for unit in units if names or (names is None and len(units) <= 40) else ():
            text = unit_name(sorting, unit).removeprefix("unit ")
            ax.annotate(text, (amplitude[unit], depth[unit]), (4, 3), textcoords="offset points", fontsize=6)
    return ax
