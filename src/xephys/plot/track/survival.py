"""Plot how long neurons are followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ...track.survival import presence_of, track_survival
from ..canvas.style import FAINT, INK, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_survival(tracks: xr.DataTree, *, ax: Axes | None = None) -> Axes:
    """Plot the share of the tracks of a session that are found again, by the number of sessions in between.

    Each grey line begins in one session; the black line is the share over all sessions, as in
    :func:`xephys.track_survival`.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`. Rejected tracks are left out.
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
    >>> plot_survival(tracks).get_xlabel()
    'sessions later'
    """
    counts = presence_of(tracks)[1].astype(np.int64)
    both = counts.T @ counts
    of = np.diag(both)[:, None]
    shares = np.divide(both, of, out=np.full(both.shape, np.nan), where=of > 0)
    survival = track_survival(tracks)
    with paper_style():
        ax = axes_or_new(ax, figsize=(3.2, 2.4))
        for session in range(len(shares) - 1):
            label = "from one session" if session == 0 else "_session"
            ax.plot(shares[session, session:], "-", color=FAINT, lw=0.8, label=label)
        ax.plot(survival["gap"], survival["share"], "o-", color=INK, ms=3, lw=1.2, label="over all sessions")
        ax.set_ylim(0.0, 1.05)
        ax.set_xlim(-0.2, max(len(shares) - 1, 1) + 0.2)
        ax.locator_params(axis="x", integer=True)
        ax.set_xlabel("sessions later")
        ax.set_ylabel("share of tracks found")
        ax.legend(loc="lower left", handlelength=1.4)
    return ax
