"""Plot in which sessions each neuron was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ...checks import check_positive
from ...track.survival import presence_of
from ..canvas.style import FAINT, INK, UNIT_COLORS, axes_or_new, paper_style
from .chosen import shown_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More names than this are illegible along the axis.
NAMES_MAX = 24


def plot_presence(tracks: xr.DataTree, *, n_units_min: int = 1, ax: Axes | None = None) -> Axes:
    """Plot in which sessions each track has a unit, one row per track, ordered by the first session.

    Sessions in between in which the neuron was not found are grey. Rejected tracks are left out.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    n_units_min
        Tracks with fewer units are not drawn; 2 leaves out units without a partner.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    TypeError
        If these are not tracks.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)[0])
    >>> plot_presence(tracks).get_xlabel()
    'session'
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    check_positive(n_units_min=n_units_min)
    number, present = presence_of(tracks)
    n_units = tracks["tracks"]["n_units"].sel(track=number).values
    present = present[n_units >= n_units_min]
    names = [str(name) for name in tracks.attrs["sessions"]]
    n, n_sessions = present.shape
    first, last = present.argmax(axis=1), n_sessions - 1 - present[:, ::-1].argmax(axis=1)
    order = np.lexsort((-present.sum(axis=1), -last, first))
    session = np.arange(n_sessions)
    between = (session > first[:, None]) & (session < last[:, None]) & ~present
    level = (2 * present + between)[order]
    with paper_style():
        ax = axes_or_new(ax, figsize=(max(2.6, 1.2 + 0.28 * n_sessions), 4.0))
        cmap = ListedColormap(["#FFFFFF", FAINT, UNIT_COLORS[0]])
        box = (-0.5, n_sessions - 0.5, max(n, 1) - 0.5, -0.5)
        ax.imshow(
            level if n else np.zeros((1, n_sessions)),
            cmap=cmap,
            vmin=0,
            vmax=2,
            interpolation="nearest",
            aspect="auto",
            extent=box,
        )
        ax.vlines(session[1:] - 0.5, *box[2:], color="white", lw=1.0)
        if n <= 120:
            ax.hlines(np.arange(1, n) - 0.5, *box[:2], color="white", lw=0.5)
        ax.set_xticks(*shown_names([f"{name}" for name in names], NAMES_MAX), rotation=90 if n_sessions > 8 else 0)
        ax.tick_params(axis="x", length=0)
        ax.set_xlabel("session")
        ax.set_ylabel("track, by first session")
        ax.locator_params(axis="y", integer=True)
        handles = [Patch(color=UNIT_COLORS[0], label="found"), Patch(color=FAINT, label="not found")]
        ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handlelength=0.8, columnspacing=0.9,
            handletextpad=0.4, borderaxespad=0.2, labelcolor=INK,
        )  # fmt: skip
    return ax
