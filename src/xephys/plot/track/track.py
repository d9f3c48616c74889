"""Plot one neuron over its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ...track.units import session_units
from ..canvas.style import FAINT, INK, axes_for_panels, panels_in, paper_style, round_length, unit_color
from ..units.templates import cell_size
from .chosen import chosen_tracks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_track(
    tracks: xr.DataTree,
    sessions: Sequence[xr.DataTree | xr.Dataset],
    track_id: int,
    *,
    n_channels_max: int = 10,
    n_sessions_max: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Plot the waveforms of a track in each of its sessions, with its autocorrelograms below.

    Waveforms are drawn at the contacts nearest to the largest one. All panels have one scale of voltage and one of
    depth, so that a neuron that moves along the probe moves in the figure; a line marks its estimated depth. If the
    track has several units of one session, which are parts of one neuron, each has its own color.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    sessions
        The sessions that were tracked, in the same order.
    track_id
        Number of the track.
    n_channels_max
        Number of contacts per panel.
    n_sessions_max
        Largest number of panels; if there are more sessions, evenly spread ones are drawn.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them.

    Raises
    ------
    ParameterError
        If the track does not exist, or the sessions are not those that were tracked.
    TypeError
        If these are not tracks.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> sessions, _ = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, dropout=0, seed=1)
    >>> len(plot_track(track_units(sessions), sessions, 0).figure.axes)  # two panels per session in these axes
    7
    """
    check_positive(n_channels_max=n_channels_max, n_sessions_max=n_sessions_max)
    track = int(chosen_tracks(tracks, [track_id], 1)[0])
    units = tracks["units"].to_dataset()
    names = [str(name) for name in tracks.attrs["sessions"]]
    if len(sessions) != len(names):
        raise ParameterError(f"{len(sessions)} sessions for tracks of {len(names)}; give those that were tracked")
    rows = np.flatnonzero(units["track"].values == track)
    present = np.unique(units["session"].values[rows])
    drawn = present[np.linspace(0, len(present) - 1, min(len(present), n_sessions_max)).round().astype(np.int64)]
    seen = [_seen(sessions[k], rows[units["session"].values[rows] == k], units, n_channels_max) for k in drawn]
    with paper_style():
        frame = axes_for_panels(ax, figsize=(0.8 + 1.2 * max(len(drawn), 2), 4.4))
        top, bottom = panels_in(frame, 2, len(drawn), height_ratios=[2.4, 1.0])
        _draw_waveforms(top, seen)
        for above, below, number, own in zip(top, bottom, drawn, seen, strict=True):
            above.set_title(names[number], fontsize=7)
            _draw_autocorrelogram(below, own.autocorrelogram)
        bottom[0].set_ylabel("autocorrelogram")
        probability = float(tracks["tracks"]["probability"].sel(track=track))
        said = f", mean probability {probability:.2f}" if np.isfinite(probability) else ""
        # A line above the first name runs over the other panels; the layout takes account of its height only.
        said = f"track {track}: {len(present)} of {len(names)} sessions{said}"
        top[0].set_title(f"{said}\n{names[drawn[0]]}", fontsize=7)
    return frame


class _Seen(NamedTuple):
    """The units of the track in one session: of each, its templates on a few contacts, and its rhythm."""

    templates: NDArray[np.float32]
    contacts: NDArray[np.float64]
    depth: NDArray[np.float64]
    autocorrelogram: NDArray[np.float32]
    duration_ms: float


def _seen(session: xr.DataTree | xr.Dataset, rows: NDArray[np.int64], units: xr.Dataset, n_channels_max: int) -> _Seen:
    """Read the units of a session, on the contacts nearest to the largest waveform of the first of them."""
    table = session_units(session)
    own = units["row"].values[rows]
    names = table["unit_id"].values.astype(str)
    if own.max() >= len(names) or (names[own] != units["unit_id"].values[rows].astype(str)).any():
        raise ParameterError("the sessions have other units than those that were tracked; give them in the same order")
    templates = table["templates"].values[own]
    contacts = np.stack([table["x"].values, table["y"].values], axis=1).astype(np.float64)
    peak = int(np.ptp(templates[0], axis=0).argmax())
    distance = np.linalg.norm(contacts - contacts[peak], axis=1)
    if "shank" in table.coords:
        distance[table["shank"].values != table["shank"].values[peak]] = np.inf
    near = np.argsort(distance, kind="stable")[:n_channels_max]
    near = near[np.isfinite(distance[near])]
    duration_ms = templates.shape[1] / float(table.attrs["sampling_frequency"]) * 1e3
    rhythm = table["autocorrelogram"].values[own]
    return _Seen(templates[:, :, near], contacts[near], units["y"].values[rows], rhythm, duration_ms)


def _draw_waveforms(panels: NDArray[Any], seen: list[_Seen]) -> None:
    """Draw each session's waveforms at their contacts, on common axes, with one bar for voltage and one for time."""
    places = np.concatenate([own.contacts for own in seen])
    width, height = cell_size(seen[0].contacts) if len(seen[0].contacts) > 1 else (20.0, 20.0)
    largest = max(float(np.abs(own.templates).max()) for own in seen)
    scale = 0.9 * height / max(largest, 1e-12)
    longest_ms = max(own.duration_ms for own in seen)
    low, high = places.min(axis=0), places.max(axis=0)
    left, right, bottom, top = low[0] - 0.6 * width, high[0] + 0.6 * width, low[1] - 2.6 * height, high[1] + height
    for panel, own in zip(panels, seen, strict=True):
        panel.plot(*own.contacts.T, ".", color=FAINT, ms=2, zorder=1)
        span = 0.46 * width * own.duration_ms / longest_ms
        across = np.linspace(-span, span, own.templates.shape[1])[:, None]
        for rank, template in enumerate(own.templates):
            color = unit_color(rank)
            panel.axhline(own.depth[rank], color=color, lw=0.6, ls=":", zorder=0)
            panel.plot(own.contacts[:, 0] + across, own.contacts[:, 1] + scale * template, color=color, lw=0.8)
        panel.set_xlim(left, right)
        panel.set_ylim(bottom, top)
        panel.set_xticks([])
        panel.spines["bottom"].set_visible(False)
    for panel in panels[1:]:
        panel.spines["left"].set_visible(False)
        panel.set_yticks([])
    panels[0].set_ylabel("y (µm)")
    _draw_bars(panels[0], (left + 0.1 * width, bottom + 0.9 * height), scale, 0.92 * width / longest_ms, largest)


def _draw_bars(ax: Axes, corner: tuple[float, float], um_per_uv: float, um_per_ms: float, largest_uv: float) -> None:
    x, y = corner
    voltage, time = round_length(0.6 * largest_uv), 1.0
    ax.plot([x, x, x + time * um_per_ms], [y + voltage * um_per_uv, y, y], color=INK, lw=1.0)
    top = y + voltage * um_per_uv
    ax.annotate(f"{voltage:g} µV", (x, top), (0, 2), textcoords="offset points", fontsize=6, va="bottom")
    ax.annotate(f"{time:g} ms", (x, y), (0, -2), textcoords="offset points", fontsize=6, va="top")


def _draw_autocorrelogram(ax: Axes, values: NDArray[np.float32]) -> None:
    """Draw both halves of autocorrelograms ``(unit, lag)``, of which the positive lags are given."""
    lags = np.arange(-values.shape[1], values.shape[1] + 1)
    for rank, own in enumerate(values):
        ax.stairs(np.concatenate([own[::-1], own]), lags, fill=not rank, color=unit_color(rank), lw=0.8)
    ax.set_xlim(lags[0], lags[-1])
    ax.set_ylim(0, 1.05)
    ax.set_xticks([lags[0], 0, lags[-1]])
    ax.set_yticks([])
    ax.set_xlabel("lag (ms)")
