"""Plot a window of traces: as lines, or as a map if there are many channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...checks import check_choice, check_positive
from ...errors import ParameterError
from ...kernels.lib.constants import MAD_OF_NORMAL
from ...per_channel import bad_channels_of
from ...recording.clock import start_time_s
from ...recording.geometry import shank_numbers
from ...recording.slicing import select_channels, time_slice
from ...unit_mark import check_unit_stated
from ..canvas.style import ALARM, INK, MUTED, axes_or_new, paper_style, round_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More lines than this cannot be told apart on a page.
LINES_MAX = 48
POINTS_MAX = 4000


def plot_traces(
    recording: xr.DataArray,
    *,
    start_s: float | None = None,
    duration_s: float = 0.1,
    channel_ids: Any = None,
    mode: str = "auto",
    spacing: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot a short window of a recording. Computes only that window.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``. Counts are shown in µV if the gains are known.
    start_s, duration_s
        The window on the recording's clock, by default from its beginning. It is cut off at the end of the recording.
    channel_ids
        Channels to draw; all if None. They are drawn shank by shank, in order of depth if positions are known. Channels
        marked ``bad`` are red lines, and are left out of a map.
    mode
        ``"lines"``, ``"map"`` (color is voltage), or ``"auto"``: lines for up to 48 channels.
    spacing
        Distance between two lines, in the recording's unit; eight times the median noise of the window if None.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the window is not inside the recording, or a channel or mode does not exist.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> plot_traces(recording, start_s=0.5, duration_s=0.05).get_xlabel()
    'time (s)'
    """
    info = schema.validate_recording(recording)
    check_choice("mode", mode, ("auto", "lines", "map"))
    check_positive(duration_s=duration_s)
    if spacing is not None:
        check_positive(spacing=spacing)
    origin = start_time_s(recording)
    end = origin + info.n_samples / info.sampling_frequency
    start_s = origin if start_s is None else start_s
    if not origin <= start_s < end:
        raise ParameterError(f"start_s is {start_s:g} s; the recording lasts from {origin:g} to {end:g} s")
    window = time_slice(recording, start_s, min(start_s + duration_s, end))
    if channel_ids is not None:
        window = select_channels(window, channel_ids)
    if "y" in window.coords:
        keys = [window.x.values, window.y.values] if "x" in window.coords else [window.y.values]
        order = np.lexsort([*keys, shank_numbers(window)])
    else:
        order = np.arange(window.sizes["channel"])[::-1]
    traces: NDArray[Any] = np.asarray(window.values, np.float32)[:, order]
    unit = info.units
    if unit == "counts" and "gain_to_uv" in window.coords:
        check_unit_stated(window, why="a picture in microvolts")
        offset = window.offset_to_uv.values[order] if "offset_to_uv" in window.coords else 0.0
        traces, unit = traces * window.gain_to_uv.values[order] + offset, "uV"
    unit = "µV" if unit == "uV" else unit
    traces = traces - np.median(traces, axis=0)
    time = start_s + np.arange(len(traces)) / info.sampling_frequency
    bad = bad_channels_of(window)[order]
    labels = window.channel.values[order]
    if mode == "auto":
        mode = "lines" if traces.shape[1] <= LINES_MAX else "map"
    usable = traces[:, ~bad] if (~bad).any() else traces
    noise = float(np.median(np.median(np.abs(usable), axis=0))) / MAD_OF_NORMAL or 1.0
    with paper_style():
        ax = axes_or_new(ax, figsize=(6.5, min(7.0, 1.2 + 0.16 * traces.shape[1]) if mode == "lines" else 4.0))
        if mode == "lines":
            _lines(ax, time, traces, bad, labels, unit, spacing or 8 * noise)
        else:
            depth = window.y.values[order] if "y" in window.coords else None
            shanks = shank_numbers(window)[order]
            if depth is not None and bad.any() and not bad.all():
                traces, depth, shanks = traces[:, ~bad], depth[~bad], shanks[~bad]
            _map(ax, time, traces, depth, shanks, unit, 6 * noise)
        ax.set_xlabel("time (s)")
    return ax


def _n_labels_that_fit(ax: Axes) -> int:
    """Number of labels of the vertical axis that do not touch, at most 32."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    size_pt = FontProperties(size=rcParams["ytick.labelsize"]).get_size_in_points()
    height_pt = 72 * ax.get_window_extent().height / ax.get_figure(root=True).dpi
    return int(np.clip(height_pt / (1.1 * size_pt), 1, 32))


def _lines(ax: Axes, time: Any, traces: Any, bad: Any, labels: Any, unit: str, spacing: float) -> None:
    step = max(1, len(time) // POINTS_MAX)
    for k in range(traces.shape[1]):
        color = ALARM if bad[k] else INK
        ax.plot(time[::step], traces[::step, k] / spacing + k, color=color, lw=0.5, clip_on=True)
    n = traces.shape[1]
    ticks = np.arange(0, n, max(1, -(-n // _n_labels_that_fit(ax))))
    ax.set_yticks(ticks, [str(label) for label in labels[ticks]])
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("channel")
    ax.spines["left"].set_visible(False)
    width = time[-1] - time[0] if len(time) > 1 else 1.0
    ax.set_xlim(time[0], time[0] + width * 1.06)
    ax.spines["bottom"].set_bounds(time[0], time[-1])
    ax.set_ylim(min(-1.0, float(np.min(traces[:, 0])) / spacing - 0.3), n + 0.2)
    height = round_length(2 * spacing)
    x = time[0] + width * 1.045
    ax.plot([x, x], [n - 1 - height / spacing / 2, n - 1 + height / spacing / 2], color=INK, lw=1.5, clip_on=False)
    ax.annotate(
        f"{height:g} {unit}", (x, n - 1), (4, 0), textcoords="offset points", rotation=90, va="center", fontsize=7
    )


def _map(ax: Axes, time: Any, traces: Any, depth: Any, shanks: Any, unit: str, limit: float) -> None:
    """Draw a map: color is voltage, with shanks stacked, each in order of depth, and gaps where there is no contact."""
    edges, rows, ticks = map_rows(traces, depth, shanks)
    step = max(1, len(time) // POINTS_MAX)
    shown = time[::step]
    borders = np.append(shown, shown[-1] + step * (time[1] - time[0] if len(time) > 1 else 1.0))
    mesh = ax.pcolormesh(borders, edges, rows[:, ::step], cmap="RdBu_r", vmin=-limit, vmax=limit, rasterized=True)
    ax.set_ylabel("channel" if depth is None else "depth (µm)")
    if len(np.unique(shanks)) > 1:
        ax.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
        named = [label.partition(":")[0] for _, label in ticks]
        for number, label in enumerate(ax.get_yticklabels()):  # the ends of neighboring shanks lie close together
            label.set_verticalalignment("top" if number and named[number] == named[number - 1] else "bottom")
        ax.set_ylabel("depth (µm), shank by shank")
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.01, fraction=0.03)
    bar.set_label(unit, color=MUTED)
    bar.outline.set_visible(False)


def map_rows(
    traces: NDArray[Any], depth: Any, shanks: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[tuple[float, str]]]:
    """Rows of a map: their edges along the axis, ``(row, sample)`` with NaN between contacts, and ticks by depth.

    If several contacts of a shank share a depth, the largest value is shown, since a mean would make spikes smaller. A
    row is as high as the distance between contacts; consecutive shanks are two such heights apart.
    """
    rows_um = np.arange(traces.shape[1], dtype=float) if depth is None else np.asarray(depth, float)
    edges: list[float] = []
    rows: list[NDArray[Any]] = []
    ticks: list[tuple[float, str]] = []
    empty = np.full(len(traces), np.nan)
    spacing = _spacing(rows_um, shanks)
    for shank in np.unique(shanks):
        own = np.flatnonzero(shanks == shank)
        levels, row = np.unique(rows_um[own], return_inverse=True)
        offset = 0.0 if not edges else edges[-1] + 2 * spacing - (levels[0] - spacing / 2)
        for k, level in enumerate(levels):
            low = level - (spacing / 2 if k == 0 else min(spacing, level - levels[k - 1]) / 2) + offset
            high = level + (spacing / 2 if k == len(levels) - 1 else min(spacing, levels[k + 1] - level) / 2) + offset
            if not edges:
                edges.append(low)
            elif low > edges[-1] + 1e-9:
                rows.append(empty)
                edges.append(low)
            there = traces[:, own[row == k]]
            rows.append(np.take_along_axis(there, np.abs(there).argmax(axis=1)[:, None], axis=1)[:, 0])
            edges.append(high)
        ticks += [(levels[k] + offset, f"{shank}: {levels[k]:g}") for k in sorted({0, len(levels) - 1})]
    return np.array(edges), np.array(rows, float), ticks


def _spacing(depth: NDArray[np.float64], shanks: NDArray[np.integer[Any]]) -> float:
    """Typical distance between neighboring depths on a shank."""
    steps = [np.diff(np.unique(depth[shanks == shank])) for shank in np.unique(shanks)]
    joined = np.concatenate(steps)
    return float(np.median(joined)) if len(joined) else 1.0
