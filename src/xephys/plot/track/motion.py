"""Plot how far the tissue moved from session to session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError
from ...track.curate import track_numbers
from ..canvas.style import MUTED, axes_or_new, paper_style, unit_color
from .chosen import shown_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More lines, or names of sessions, than this cannot be told apart.
N_DEPTHS_MAX, NAMES_MAX = 5, 24
#: Width of the columns of dots, in sessions.
SPREAD = 0.3


def plot_track_motion(
    tracks: xr.DataTree, *, shank: Any = None, n_depths_max: int = N_DEPTHS_MAX, ax: Axes | None = None
) -> Axes:
    """Plot the displacement of each session, one line per depth, and that of each tracked unit as a dot.

    The dot of a unit is the distance of its location from the registered location of its track, in the color of the
    nearest depth. Dots that do not lie between the lines of the depths around them speak against the displacement, or
    against their tracks. Sessions whose displacement is unknown have a grey cross.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    shank
        Name of the shank; optional if there is only one.
    n_depths_max
        Largest number of lines; if there are more depths, evenly spread ones are drawn.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the shank is unknown, or must be named.
    TypeError
        If these are not tracks.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)[0])
    >>> plot_track_motion(tracks).get_ylabel()
    'displacement (µm)'
    """
    track_numbers(tracks)
    motion = tracks["motion"].to_dataset()
    shanks = motion["shank"].values.astype(str).tolist()
    if (shank is None and len(shanks) != 1) or (shank is not None and str(shank) not in shanks):
        raise ParameterError(f"shank is {shank!r}; the tracks have the shanks {shanks}, give one of them")
    name = shanks[0] if shank is None else str(shank)
    own = motion.isel(shank=shanks.index(name))
    knots, known = own["knot"].values, own["known"].values
    drawn = np.unique(np.linspace(0, len(knots) - 1, min(len(knots), n_depths_max)).round().astype(np.int64))
    sessions = np.arange(own.sizes["session"])
    session, depth, moved = _of_units(tracks, name)
    nearest = np.abs(depth[:, None] - knots[drawn]).argmin(axis=1)
    # Units are spread sideways by their depth, so that dots of one session do not hide each other.
    aside = SPREAD * (np.argsort(np.argsort(depth, kind="stable")) / max(len(depth) - 1, 1) - 0.5)
    with paper_style():
        ax = axes_or_new(ax, figsize=(max(3.6, 1.4 + 0.4 * len(sessions)), 2.4))
        ax.axhline(0.0, color=MUTED, lw=0.5, ls=":")
        for rank, knot in enumerate(drawn):
            values, color = own["displacement_um"].values[:, knot], unit_color(rank)
            here = nearest == rank
            ax.plot(session[here] + aside[here], moved[here], ".", ms=4.5, mew=0, color=color, alpha=0.6)
            ax.plot(
                sessions, np.where(known, values, np.nan), "o-", ms=4.5, lw=1.0, mec="white", mew=0.6, color=color,
                label=f"{knots[knot]:.0f} µm",
            )  # fmt: skip
        ax.plot(sessions[~known], np.zeros((~known).sum()), "x", color=MUTED, ms=5, label="_unknown")
        ax.set_xticks(*shown_names([str(name) for name in tracks.attrs["sessions"]], NAMES_MAX))
        ax.set_xlim(-0.5, len(sessions) - 0.5)
        ax.set_xlabel("session")
        ax.set_ylabel("displacement (µm)")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(drawn), handlelength=1.2, columnspacing=0.9)
    return ax


def _of_units(tracks: xr.DataTree, shank: str) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Session, registered depth, and distance from the place of their track, of the units of a shank with partners."""
    units = tracks["units"].to_dataset()
    number, place = np.unique(units["track"].values, return_inverse=True)
    count = np.bincount(place, minlength=len(number))
    center = np.bincount(place, units["y_registered"].values, len(number)) / count
    kept = (units["shank"].values.astype(str) == shank) & (count[place] > 1)
    return units["session"].values[kept], center[place][kept], (units["y"].values - center[place])[kept]
