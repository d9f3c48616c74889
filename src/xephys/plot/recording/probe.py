"""Plot the contacts of a probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ... import schema
from ...per_channel import bad_channels_of, positions_of
from ..canvas.apart import Apart, nearest_distance, probe_size
from ..canvas.style import ALARM, FAINT, INK, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

#: More names than this overlap.
NAMES_MAX = 64


def plot_probe(recording: xr.DataArray, *, names: bool | None = None, ax: Axes | None = None) -> Axes:
    """Plot the positions of a recording's channels; those marked ``bad`` are crossed out.

    Shanks, probes or tetrodes whose channels have the same coordinates are drawn side by side.

    Parameters
    ----------
    recording
        Traces with coordinates ``x`` and ``y``.
    names
        Whether to write the identifiers of the channels; if None, for up to 64 channels.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    RecordingError
        If the recording has no positions.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> plot_probe(recording).get_ylabel()
    'y (µm)'
    """
    schema.validate_recording(recording)
    xy = positions_of(recording, why="a plot of the probe")
    bad = bad_channels_of(recording)
    names = len(xy) <= NAMES_MAX if names is None else names
    apart = Apart.of(recording, xy)
    xy = apart.place(xy)
    span = np.ptp(xy, axis=0)
    pitch = nearest_distance(xy)
    with paper_style():
        ax = axes_or_new(ax, figsize=probe_size(xy))
        side = 0.5 * pitch
        for (x, y), is_bad in zip(xy, bad, strict=True):
            ax.add_patch(_square(x, y, side, FAINT if not is_bad else "white", INK if not is_bad else ALARM))
        ax.plot(*xy[bad].T, "x", color=ALARM, ms=4, mew=1.0, ls="none")
        if names:
            for (x, y), name in zip(xy, recording.channel.values, strict=True):
                ax.annotate(str(name), (x + 0.6 * side, y), (2, 0), textcoords="offset points", fontsize=5, va="center")
        ax.set_aspect("equal")
        ax.set_xlim(xy[:, 0].min() - pitch, xy[:, 0].max() + 2 * pitch)
        ax.set_ylim(xy[:, 1].min() - pitch, xy[:, 1].max() + pitch)
        if span[0] < 0.1 * span[1]:  # too narrow for labels side by side
            ax.set_xticks([float(xy[:, 0].mean())], [f"{xy[:, 0].mean():.0f}"])
        apart.label(ax)
    return ax


def _square(x: float, y: float, side: float, face: str, edge: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x - side / 2, y - side / 2), side, side, facecolor=face, edgecolor=edge, lw=0.5)
