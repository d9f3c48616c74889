"""Plot the mean waveform of each unit on the contacts that see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ...recording.geometry import shank_labels
from ...sorting import validate_sorting
from ..canvas.apart import nearest_distance
from ..canvas.style import (
    FAINT,
    INK,
    MUTED,
    axes_for_panels,
    panels_in,
    paper_style,
    round_length,
    shown_unit,
    unit_color,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_templates(
    sorting: xr.DataTree,
    *,
    unit_indices: Any = None,
    n_units_max: int = 32,
    n_channels_max: int = 12,
    n_columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Plot templates at the positions of the contacts, one panel per unit, in order of shank and depth.

    A panel shows only contacts of the unit's shank, at its own voltage scale, so that small units are visible; the
    title gives the peak amplitude.

    Parameters
    ----------
    sorting
        From :func:`xephys.sort` or :func:`xephys.open_sorting`.
    unit_indices
        Indices of the units to draw. If None, all but noise units, or the ``n_units_max`` with the largest
        signal-to-noise ratio (amplitude, if that is unknown).
    n_units_max
        Maximum number of panels.
    n_channels_max
        Number of contacts per panel: those of the shank nearest to the unit's peak channel.
    n_columns
        Number of panels per row.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them; ``ax.figure`` has them all.

    Raises
    ------
    ParameterError
        If the sorting has no templates or positions, or a unit does not exist.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    >>> len(plot_templates(xephys.sort(recording)).figure.axes) > 1
    True
    """
    check_positive(n_units_max=n_units_max, n_channels_max=n_channels_max, n_columns=n_columns)
    units = sorting["units"].dataset
    templates, positions, rate = template_arrays(sorting)
    peaks, unit_of_trace = np.abs(templates).max(axis=1), shown_unit(sorting["templates"]["templates"])
    shanks = shank_labels(sorting["templates"].dataset)
    shank_of_unit = shanks[peaks.argmax(axis=1)] if len(peaks) else shanks[:0]
    several = len(np.unique(shanks)) > 1
    sizes = units["snr"].values if "snr" in units else peaks.max(axis=1, initial=0.0)
    chosen = _choose(units, unit_indices, n_units_max, sizes=sizes, shanks=shank_of_unit)
    with paper_style():
        rows = max(1, -(-len(chosen) // n_columns))
        columns = min(n_columns, max(len(chosen), 1))
        frame = axes_for_panels(ax, figsize=(min(9.0, 0.3 + 1.1 * columns), 0.3 + 1.45 * rows))
        if not len(chosen):
            frame.text(0.5, 0.5, "no units", transform=frame.transAxes, ha="center", va="center", color=INK)
            return frame
        grid = panels_in(frame, rows, columns)
        rank = {int(u): k for k, u in enumerate(np.argsort(units["y"].values, kind="stable"))}
        for panel, unit in zip(grid.flat, chosen, strict=False):
            noise = str(units["label"].values[unit]) == "noise"
            own = np.flatnonzero(shanks == shank_of_unit[unit])
            color = MUTED if noise else unit_color(rank[int(unit)])
            _panel(panel, templates[unit][:, own], positions[own], n_channels_max, color)
            size = f"{peaks[unit].max():.0f} {unit_of_trace}"
            title = _title(units, unit, size, f"\nshank {shank_of_unit[unit]}" if several else "")
            panel.set_title(title, fontsize=6.5, pad=2, loc="center", linespacing=1.1)
        for panel in grid.flat[len(chosen) :]:
            panel.set_visible(False)
        _time_bar(grid[-1, 0], templates.shape[1] / rate * 1e3)
    return frame


def template_arrays(sorting: xr.DataTree) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
    """Dense templates ``(unit, sample, channel)``, positions ``(channel, 2)`` in µm and the rate in hertz.

    Raises
    ------
    ParameterError
        If the sorting has no templates with positions.
    """
    node = validate_sorting(sorting).children.get("templates")
    if node is None or "x" not in node.coords or "y" not in node.coords:
        raise ParameterError(
            "this sorting has no templates with positions of the channels; sort with xephys, or plot units"
        )
    positions = np.stack([node.coords["x"].values, node.coords["y"].values], axis=1).astype(np.float64)
    return np.asarray(node["templates"].values, np.float32), positions, float(sorting.attrs["sampling_frequency"])


def _choose(
    units: xr.Dataset, given: Any, n_units_max: int, *, sizes: NDArray[Any], shanks: NDArray[np.str_]
) -> NDArray[np.int64]:
    """Indices of the units to draw, shank by shank, the deepest first."""
    n = units.sizes["unit"]
    if given is not None:
        chosen = np.atleast_1d(np.asarray(given, np.int64))
        if len(chosen) and not (chosen.min() >= 0 and chosen.max() < n):
            raise ParameterError(f"unit_indices run to {chosen.max()}; the sorting has {n} units, 0 to {n - 1}")
        return chosen
    chosen = np.flatnonzero(units["label"].values.astype(str) != "noise")
    if len(chosen) > n_units_max:
        chosen = chosen[np.argsort(-sizes[chosen], kind="stable")[:n_units_max]]
    return np.asarray(chosen[np.lexsort((units["y"].values[chosen], shanks[chosen]))], np.int64)


def _panel(ax: Axes, template: NDArray[np.float32], positions: NDArray[np.float64], n_max: int, color: str) -> None:
    peak = int(np.abs(template).max(axis=0).argmax())
    distance = np.linalg.norm(positions - positions[peak], axis=1)
    shown = np.argsort(distance, kind="stable")[:n_max]
    xy = positions[shown]
    width, height = cell_size(xy)
    across = np.linspace(-0.46, 0.46, template.shape[0]) * width
    scale = 0.9 * height / max(float(np.abs(template).max()), 1e-12)
    for channel, (x, y) in zip(shown, xy, strict=True):
        ax.plot(x, y, ".", color=FAINT, ms=2, zorder=1)
        ax.plot(x + across, y + scale * template[:, channel], color=color, lw=0.8, solid_joinstyle="round", zorder=2)
    ax.set_xlim(xy[:, 0].min() - 0.55 * width, xy[:, 0].max() + 0.55 * width)
    ax.set_ylim(xy[:, 1].min() - 1.1 * height, xy[:, 1].max() + 1.0 * height)
    ax.axis("off")


def cell_size(xy: NDArray[np.float64]) -> tuple[float, float]:
    """Width and height available to the waveform at each contact before it runs into the next one."""
    pitch = nearest_distance(xy)
    dx, dy = (np.abs(axis[:, None] - axis[None]) for axis in xy.T)
    beside = dx[(dy < 0.3 * pitch) & (dx > 1e-6)]
    width = float(beside.min()) if beside.size else pitch
    above = dy[(dx < 0.9 * width) & (dy > 1e-6)]
    return width, float(above.min()) if above.size else pitch


def _title(units: xr.Dataset, unit: int, size: str, shank: str) -> str:
    name = units.coords["unit_id"].values[unit] if "unit_id" in units.coords else unit
    snr = f", SNR {units['snr'].values[unit]:.1f}" if "snr" in units else ""
    return f"unit {name} ({units['label'].values[unit]})\n{size}{snr}{shank}"


def _time_bar(ax: Axes, window_ms: float) -> None:
    length = round_length(0.6 * window_ms)
    share = 0.92 / 1.1 * length / window_ms
    ax.plot([0.04, 0.04 + share], [0.0, 0.0], transform=ax.transAxes, color=INK, lw=1.2, clip_on=False)
    ax.annotate(
        f"{length:g} ms",
        (0.04, 0.0),
        (0, -3),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=6.5,
    )
