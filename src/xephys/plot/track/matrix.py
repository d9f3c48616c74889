"""Plot which units of which sessions are probably the same neuron."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..canvas.style import FAINT, INK, MUTED, UNIT_COLORS, axes_or_new, paper_style
from .chosen import chosen_tracks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More names than this are illegible along an axis, and more sessions than this have no legend.
NAMES_MAX, LEGEND_MAX = 24, 8
#: Width of the strips that mark the sessions, and their distance from the matrix, as shares of its width.
STRIP, GAP = 0.025, 0.01


def plot_track_matrix(
    tracks: xr.DataTree, *, track_ids: Any = None, n_tracks_max: int = 40, ax: Axes | None = None
) -> Axes:
    """Plot the probabilities between units, ordered by track, with a frame around each track.

    Tracks are ordered by depth, and the units of a track by session. Two strips mark the session of each unit. Pairs of
    one session are empty unless they are probably parts of one neuron.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    track_ids
        Tracks to draw, in this order; None draws those with the most units, by depth.
    n_tracks_max
        Largest number of tracks if none are named.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If a track does not exist.
    TypeError
        If these are not tracks.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)[0])
    >>> plot_track_matrix(tracks).get_xlabel()
    'units, by track'
    """
    from matplotlib.colors import LinearSegmentedColormap

    chosen = chosen_tracks(tracks, track_ids, n_tracks_max)
    rows, bounds = _ordered(tracks, chosen)
    values, session = _probabilities(tracks, rows), tracks["units"]["session"].values[rows]
    n = len(rows)
    with paper_style():
        ax = axes_or_new(ax, figsize=(4.8, 4.2))
        cmap = LinearSegmentedColormap.from_list("probability", ["#FFFFFF", "#A8C8E0", UNIT_COLORS[0], "#002B45"])
        box = (-0.5, n - 0.5, n - 0.5, -0.5)
        image = ax.imshow(
            values, cmap=cmap.with_extremes(bad=FAINT), vmin=0, vmax=1, interpolation="nearest", extent=box
        )
        names = [str(name) for name in tracks.attrs["sessions"]]
        _mark_sessions(ax, session, names)
        _frame_tracks(ax, bounds)
        middle = (bounds[:-1] + bounds[1:]) / 2 - 0.5
        shown = _apart(middle, n / NAMES_MAX)
        ax.set_xticks(middle[shown], chosen[shown].astype(str), rotation=90)
        ax.set_yticks(middle[shown], chosen[shown].astype(str))
        ax.tick_params(length=0, labelsize=6)
        ax.spines[:].set_visible(False)
        ax.set_xlabel("units, by track")
        ax.set_ylabel("units, by track")
        figure: Any = ax.figure
        bar = figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04)
        bar.set_label("probability of one neuron")
        bar.outline.set_visible(False)
    return ax


def _ordered(tracks: xr.DataTree, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the units of the tracks, track by track and session by session, and where each track begins and ends."""
    number, session = tracks["units"]["track"].values, tracks["units"]["session"].values
    sorter = np.argsort(chosen, kind="stable")
    rows = np.flatnonzero(np.isin(number, chosen))
    place = sorter[np.searchsorted(chosen, number[rows], sorter=sorter)]
    order = np.lexsort((session[rows], place))
    return rows[order], np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(chosen)))])


def _probabilities(tracks: xr.DataTree, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Dense probabilities between the given units, with NaN for a unit and itself."""
    position = np.full(tracks["units"].sizes["unit"], -1)
    position[rows] = np.arange(len(rows))
    values = np.zeros((len(rows), len(rows)))
    for table in (tracks["pairs"], tracks["splits"]):
        first, second = position[table["first"].values], position[table["second"].values]
        both = (first >= 0) & (second >= 0)
        probability = table["probability"].values[both]
        values[first[both], second[both]] = probability
        values[second[both], first[both]] = probability
    np.fill_diagonal(values, np.nan)
    return values


def _mark_sessions(ax: Axes, session: NDArray[np.int64], names: list[str]) -> None:
    """Draw strips above and to the left of the matrix, in a color for each session, with a legend."""
    import matplotlib as mpl
    from matplotlib.patches import Patch

    n, n_sessions = len(session), len(names)
    palette = mpl.colormaps["viridis"](np.linspace(0.05, 0.95, n_sessions))[:, :3]
    colors = palette[session]
    inner, outer = -0.5 - GAP * n, -0.5 - (GAP + STRIP) * n
    ax.imshow(colors[:, None], extent=(outer, inner, n - 0.5, -0.5), interpolation="nearest")
    ax.imshow(colors[None], extent=(-0.5, n - 0.5, inner, outer), interpolation="nearest")
    ax.set_xlim(outer, n - 0.5)
    ax.set_ylim(n - 0.5, outer)
    ax.set_aspect("equal" if n else "auto")
    shown = range(n_sessions) if n_sessions <= LEGEND_MAX else (0, n_sessions - 1)
    ax.legend(
        handles=[Patch(color=palette[k], label=names[k]) for k in shown], title="session", title_fontsize=7,
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(shown), handlelength=0.8, handletextpad=0.4,
        columnspacing=0.9, borderaxespad=0.2, alignment="left",
    )  # fmt: skip


def _apart(places: NDArray[np.float64], distance: float) -> list[int]:
    """Indices of rising places, each at least ``distance`` from the one before."""
    shown: list[int] = []
    for k, place in enumerate(places):
        if not shown or place - places[shown[-1]] >= distance:
            shown.append(k)
    return shown


def _frame_tracks(ax: Axes, bounds: NDArray[np.int64]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    frames = [Rectangle((begin - 0.5, begin - 0.5), end - begin, end - begin) for begin, end in pairwise(bounds)]
    ax.add_collection(PatchCollection(frames, facecolor="none", edgecolor=MUTED if len(frames) > 30 else INK, lw=0.5))
