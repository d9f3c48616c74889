"""Figures of waveforms: single waveforms with their mean, densities, and principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ..canvas.chosen import analyzed, chosen_units, colors_of, unit_name, unit_panels
from ..canvas.style import FAINT, INK, UNIT_COLORS, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_unit_waveforms(
    sorting: xr.DataTree,
    *,
    unit_ids: Any = None,
    n_units_max: int = 8,
    n_waveforms_max: int = 60,
    n_columns: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Plot waveforms of single spikes and their mean, on the peak channel of the unit, one panel per unit.

    Parameters
    ----------
    sorting
        A sorting with the result ``waveforms`` of :func:`xephys.analyze`.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of panels if no units are named.
    n_waveforms_max
        Largest number of waveforms per panel, spread over the recording.
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
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["waveforms"])
    >>> plot_unit_waveforms(sorting).figure.axes[1].get_ylabel()
    'voltage (µV)'
    """
    check_positive(n_waveforms_max=n_waveforms_max)
    units = chosen_units(sorting, unit_ids, n_units_max)
    colors = colors_of(units)
    with paper_style():
        frame, grid = unit_panels(ax, len(units), n_columns=n_columns, size=(1.7, 1.6))
        for panel, unit in zip(grid.flat, units, strict=False):
            waveforms, time_ms, label = _on_peak(sorting, unit)
            shown = waveforms[np.linspace(0, len(waveforms) - 1, min(len(waveforms), n_waveforms_max)).astype(int)]
            panel.plot(time_ms, shown.T, color=FAINT, lw=0.4, rasterized=True)
            if len(waveforms):
                panel.plot(time_ms, waveforms.mean(axis=0), color=colors[int(unit)], lw=1.4)
            panel.set_title(unit_name(sorting, unit), fontsize=7, loc="center", pad=2)
            panel.set_xlabel("time (ms)")
            panel.set_ylabel(label)
    return frame


def _on_peak(sorting: xr.DataTree, unit: int) -> tuple[NDArray[np.float32], NDArray[np.float64], str]:
    """Waveforms of a unit on its peak channel ``(waveform, sample)``, times in ms, and the label of their axis."""
    kept, sparsity = analyzed(sorting, "waveforms", "sparsity")
    owner = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)[kept["waveform_spike"].values]
    slot = int((kept["channel_index"].values[unit] == sparsity["peak_channel"].values[unit]).argmax())
    rate = float(sorting.attrs["sampling_frequency"])
    time_ms = (np.arange(kept.sizes["sample"]) - int(kept.attrs["nbefore"])) / rate * 1e3
    label = "voltage (µV)" if kept.attrs.get("units", "uV") == "uV" else f"trace ({kept.attrs['units']})"
    return kept["waveform"].values[owner == unit][:, :, slot], time_ms, label


def plot_waveform_density(
    sorting: xr.DataTree,
    *,
    unit_ids: Any = None,
    n_units_max: int = 8,
    n_bins: int = 80,
    n_columns: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Plot how often the waveforms of a unit pass each voltage at each time, on its peak channel, one panel per unit.

    Parameters
    ----------
    sorting
        A sorting with the result ``waveforms`` of :func:`xephys.analyze`.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of panels if no units are named.
    n_bins
        Number of bins along the voltage.
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
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["waveforms"])
    >>> plot_waveform_density(sorting).figure.axes[1].get_xlabel()
    'time (ms)'
    """
    check_positive(n_bins=n_bins)
    from matplotlib.colors import LinearSegmentedColormap

    units = chosen_units(sorting, unit_ids, n_units_max)
    with paper_style():
        cmap = LinearSegmentedColormap.from_list("density", ["#FFFFFF", "#A8C8E0", UNIT_COLORS[0], "#002B45"])
        frame, grid = unit_panels(ax, len(units), n_columns=n_columns, size=(1.7, 1.6))
        for panel, unit in zip(grid.flat, units, strict=False):
            waveforms, time_ms, label = _on_peak(sorting, unit)
            reach = 1.1 * float(np.abs(waveforms).max(initial=1.0))
            edges = np.linspace(-reach, reach, n_bins + 1)
            rows = np.clip(np.digitize(waveforms, edges) - 1, 0, n_bins - 1)
            place = rows * waveforms.shape[1] + np.arange(waveforms.shape[1])
            counts = np.bincount(place.ravel(), minlength=n_bins * waveforms.shape[1])
            density = counts.reshape(n_bins, -1) / max(len(waveforms), 1)
            half = (time_ms[1] - time_ms[0]) / 2
            panel.imshow(
                np.sqrt(density),  # so that rare paths stay visible
                origin="lower",
                aspect="auto",
                cmap=cmap,
                extent=(time_ms[0] - half, time_ms[-1] + half, -reach, reach),
                interpolation="nearest",
            )
            panel.set_title(unit_name(sorting, unit), fontsize=7, loc="center", pad=2)
            panel.set_xlabel("time (ms)")
            panel.set_ylabel(label)
    return frame


def plot_principal_component(
    sorting: xr.DataTree,
    *,
    unit_ids: Any = None,
    n_units_max: int = 6,
    components: tuple[int, int] = (0, 1),
    ax: Axes | None = None,
) -> Axes:
    """Plot the spikes of units in the plane of two principal components, on the peak channel of the first unit.

    Spikes are drawn only for units that include this channel.

    Parameters
    ----------
    sorting
        A sorting with the result ``principal_components`` of :func:`xephys.analyze`.
    unit_ids
        Units to draw; the first determines the channel. None draws those with the most spikes.
    n_units_max
        Largest number of units if none are named.
    components
        The two components, counted from 0.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the result was not computed, or has fewer components.

    Examples
    --------
    >>> from xephys import analyze
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["principal_components"])
    >>> plot_principal_component(sorting).get_xlabel()[:11]
    'component 1'
    """
    units = chosen_units(sorting, unit_ids, n_units_max)
    node, kept, sparsity = analyzed(sorting, "principal_components", "waveforms", "sparsity")
    n_components = node.sizes["component"]
    if not all(0 <= k < n_components for k in components):
        raise ParameterError(f"components are {components}; there are {n_components}, counted from 0")
    owner = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)[kept["waveform_spike"].values]
    channels, values = kept["channel_index"].values, node["projection"].values
    channel = int(sparsity["peak_channel"].values[units[0]]) if len(units) else 0
    with paper_style():
        ax = axes_or_new(ax, figsize=(3.6, 3.2))
        for unit, color in colors_of(units).items():
            own = values[owner == unit]
            if own.ndim == 3:  # one model per channel
                slot = np.flatnonzero(channels[unit] == channel)
                own = own[:, :, slot[0]] if len(slot) else own[:0, :, 0]
            ax.scatter(
                own[:, components[0]], own[:, components[1]], s=5, color=color, alpha=0.6, lw=0,
                label=unit_name(sorting, unit) if len(own) else None, rasterized=True,
            )  # fmt: skip
        where = f" on channel {channel}" if values.ndim == 3 else ""
        ax.set_xlabel(f"component {components[0] + 1}{where}")
        ax.set_ylabel(f"component {components[1] + 1}")
        ax.axhline(0, color=INK, lw=0.4, zorder=0)
        ax.axvline(0, color=INK, lw=0.4, zorder=0)
        if len(units):
            ax.legend(loc="best", markerscale=2.0, handletextpad=0.1)
    return ax
