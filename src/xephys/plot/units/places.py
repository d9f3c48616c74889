"""Figures on the probe: unit locations, the template size at each contact, and the activity at each contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...analysis.results import current_results
from ...checks import check_positive
from ...errors import ParameterError
from ...features.events import columns_of
from ...io.export.complete import own_channels, peak_channels
from ...per_channel import positions_of
from ...recording.geometry import channel_groups, nearest_channels
from ..canvas.apart import Apart, nearest_distance, probe_size
from ..canvas.chosen import chosen_units, colors_of, unit_name, unit_panels
from ..canvas.style import FAINT, INK, MUTED, axes_or_new, paper_style, shown_unit
from .templates import template_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_unit_locations(sorting: xr.DataTree, *, names: bool | None = None, ax: Axes | None = None) -> Axes:
    """Plot the locations of the units among the contacts.

    Shanks, probes or tetrodes whose contacts have the same coordinates are drawn side by side, each with its units.

    Parameters
    ----------
    sorting
        A sorting with templates, which hold the contacts, and with locations from the sorter or from
        :func:`xephys.analyze` (``unit_locations``).
    names
        Whether to write the names of the units; None writes them for up to 40 units.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the sorting has no templates or no locations.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> plot_unit_locations(truth_sorting(recording, truth)).get_xlabel()
    'x (µm)'
    """
    _, contacts, _ = template_arrays(sorting)
    units = chosen_units(sorting, None, 1 << 30)
    node = current_results(sorting).get("unit_locations", sorting["units"].dataset)
    if "x" not in node or "y" not in node:
        raise ParameterError("the units have no locations; call xephys.analyze(sorting, recording, ['unit_locations'])")
    apart = Apart.of(sorting["templates"].dataset, contacts)
    places = np.stack([node["x"].values, node["y"].values], axis=1).astype(np.float64)
    places, contacts = apart.place(places, peak_channels(sorting)), apart.place(contacts)
    noise = sorting["units"]["label"].values.astype(str) == "noise"
    names = len(units) <= 40 if names is None else names
    with paper_style():
        ax = _probe_axes(ax, contacts)
        for unit, color in colors_of(units).items():
            color = FAINT if noise[unit] else color
            ax.plot(*places[unit], "o", color=color, ms=6, mec="white", mew=0.6, zorder=3)
            if names:
                text = unit_name(sorting, unit).removeprefix("unit ")
                ax.annotate(text, places[unit], (4, 2), textcoords="offset points", fontsize=6, zorder=4)
        _fit(ax, np.concatenate([contacts, places[np.isfinite(places).all(axis=1)]]))
        apart.label(ax)
    return ax


def plot_unit_probe_map(
    sorting: xr.DataTree,
    *,
    unit_ids: Any = None,
    n_units_max: int = 8,
    n_channels_max: int = 64,
    n_columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Plot the peak-to-peak size of each unit's template at the contacts around it, one panel per unit.

    Parameters
    ----------
    sorting
        A sorting with templates.
    unit_ids
        Units to draw; None draws those with the most spikes.
    n_units_max
        Largest number of panels if no units are named.
    n_channels_max
        Number of contacts per panel: those of the unit's shank nearest to its peak channel.
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
        If the sorting has no templates.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> plot_unit_probe_map(truth_sorting(recording, truth)).figure.axes[1].get_xlabel()
    'x (µm)'
    """
    templates, contacts, _ = template_arrays(sorting)
    units = chosen_units(sorting, unit_ids, n_units_max)
    check_positive(n_channels_max=n_channels_max)
    sizes = np.ptp(templates, axis=1)
    label = f"peak to peak ({shown_unit(sorting['templates']['templates'])})"
    near = nearest_channels(
        contacts, n_nearest=n_channels_max, groups=channel_groups(sorting["templates"].dataset)
    )[peak_channels(sorting)[units]]  # fmt: skip
    shown = [row[row >= 0] for row in near]
    with paper_style():
        width, height = (max(sides) for sides in zip(*(probe_size(contacts[own]) for own in shown), strict=True))
        frame, grid = unit_panels(ax, len(units), n_columns=n_columns, size=(1.25, min(2.6, 0.8 + height / width)))
        for place, (panel, unit, own) in enumerate(zip(grid.flat, units, shown, strict=False)):
            _contact_map(panel, contacts[own], sizes[unit, own], label=label if _is_last(place, grid, units) else "")
            panel.set_title(unit_name(sorting, unit), fontsize=7, loc="center", pad=2)
            panel.set_xlabel("x (µm)")
            if place % grid.shape[1] == 0:
                panel.set_ylabel("y (µm)")
    return frame


def _is_last(place: int, grid: NDArray[Any], units: NDArray[Any]) -> bool:
    """Whether a panel is the last of its row."""
    return (place + 1) % grid.shape[1] == 0 or place + 1 == len(units)


def plot_peak_activity(peaks: Any, recording: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    """Plot the rate of peaks at each contact, counting each peak at the contact of its largest sample.

    Parameters
    ----------
    peaks
        Computed peaks from :func:`xephys.detect_peaks`, with the field ``channel_index``.
    recording
        The recording in which they were detected.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the peaks have no channels.
    RecordingError
        If the recording has no positions.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording, freq_min_hz=300)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered)).compute()
    >>> plot_peak_activity(peaks, recording).get_ylabel()
    'y (µm)'
    """
    table: Any = columns_of(peaks)
    if "channel_index" not in table:
        raise ParameterError("the peaks have no channel_index; give the result of detect_peaks")
    info = schema.validate_recording(recording)
    contacts = positions_of(recording, why="a map of the activity")
    counts = np.bincount(np.asarray(table["channel_index"], np.int64), minlength=len(contacts))
    apart = Apart.of(recording, contacts)
    contacts = apart.place(contacts)
    with paper_style():
        ax = _probe_axes(ax, contacts, beside=0.7)
        _contact_map(ax, contacts, counts / (info.n_samples / info.sampling_frequency), label="peaks (1/s)")
        apart.label(ax)
    return ax


def _probe_axes(ax: Axes | None, contacts: NDArray[np.float64], *, beside: float = 0.0) -> Axes:
    """The given axes, or new ones in the proportions of the probe, with ``beside`` inches for a color bar."""
    width, height = probe_size(contacts)
    ax = axes_or_new(ax, figsize=(width + beside, height))
    ax.plot(*contacts.T, "s", color=FAINT, ms=3.5, zorder=1)
    return ax


def _fit(ax: Axes, points: NDArray[np.float64]) -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * float((high - low).max()) + 10.0
    ax.set_xlim(low[0] - margin, high[0] + margin)
    ax.set_ylim(low[1] - margin, high[1] + margin)
    ax.set_aspect("equal")


def _contact_map(ax: Axes, contacts: NDArray[np.float64], values: NDArray[Any], *, label: str) -> None:
    """Draw a square at each contact, colored by a value, with a color bar."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    side = 0.62 * nearest_distance(contacts)
    squares = PatchCollection(
        [Rectangle((x - side / 2, y - side / 2), side, side) for x, y in contacts],
        cmap="viridis",
        edgecolor="white",
        lw=0.3,
        zorder=2,
    )
    squares.set_array(np.asarray(values, np.float64))
    squares.set_clim(0.0, max(float(np.max(values, initial=0.0)), 1e-12))
    ax.add_collection(squares)
    _fit(ax, contacts)
    figure: Any = ax.figure
    bar = figure.colorbar(squares, ax=ax, pad=0.03, fraction=0.06, aspect=30)
    bar.set_label(label)
    bar.outline.set_visible(False)


def draw_footprint(ax: Axes, sorting: xr.DataTree, unit: int, color: str) -> None:
    """Draw the template of a unit at each of its own contacts, in the coordinates of the probe."""
    from .templates import cell_size

    templates, contacts, _ = template_arrays(sorting)
    channels = own_channels(sorting, current_results(sorting))[unit]
    own = channels[channels >= 0]
    template = templates[unit][:, own]
    width, height = cell_size(contacts[own])
    across = np.linspace(-0.42, 0.42, template.shape[0]) * width
    scale = 0.9 * height / max(float(np.abs(template).max(initial=0.0)), 1e-12)
    ax.plot(*contacts[own].T, ".", color=MUTED, ms=2, zorder=1)
    ax.plot(contacts[own, 0] + across[:, None], contacts[own, 1] + scale * template, color=color, lw=0.9)
    ax.set_xlabel("x (µm)")
    ax.set_ylabel("y (µm)")
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.margins(0.08)
