"""Plot the contacts of a probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ... import schema
from ...per_channel import bad_channels_of, positions_of
from ..canvas.style import ALARM, FAINT, INK, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

#: More names than this overlap.
NAMES_MAX = 64


def plot_probe(recording: xr.DataArray, *, names: bool | None = None, ax: Axes | None = None) -> Axes:
    """Plot the positions of a recording's channels; those marked ``bad`` are crossed out.

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
    span = np.ptp(xy, axis=0)
    pitch = nearest_distance(xy)
    with paper_style():
        width = float(np.clip(5.0 * (span[0] + 4 * pitch) / max(span[1], pitch), 1.8, 6.0))
        ax = axes_or_new(ax, figsize=(width, 5.0))
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
            ax.tick_params(axis="x", labelrotation=90)
        ax.set_xlabel("x (µm)")
        ax.set_ylabel("y (µm)")
    return ax


def nearest_distance(xy: np.ndarray) -> float:
    """Median distance of a contact to its nearest neighbor, in µm."""
    if len(xy) < 2:
        return 20.0
    from scipy.spatial import cKDTree

    distances = cKDTree(xy).query(xy, k=2)[0][:, 1]
    return float(np.median(distances[distances > 0])) if (distances > 0).any() else 20.0


def _square(x: float, y: float, side: float, face: str, edge: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x - side / 2, y - side / 2), side, side, facecolor=face, edgecolor=edge, lw=0.5)
