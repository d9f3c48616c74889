"""Plot whether pairs are the same neuron as often as their probabilities say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ...track.curate import track_numbers
from ..canvas.style import INK, MUTED, UNIT_COLORS, axes_or_new, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Standard deviations of the intervals, for 95 %.
Z = 1.96


def plot_calibration(
    tracks: xr.DataTree, neuron: Sequence[NDArray[Any]], *, n_bins: int = 10, ax: Axes | None = None
) -> Axes:
    """Plot how many of the pairs with a given probability are the same neuron, for sessions with a known truth.

    Bars are 95 % intervals of Wilson (1927, J. Am. Stat. Assoc. 22:209), as if pairs were independent; numbers are
    numbers of pairs. The Brier score, the mean squared difference between probability and truth, is in the title. Pairs
    whose probability was too small to be kept in ``/pairs`` are not counted.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    neuron
        The true neuron of each unit, session by session, as ``neuron`` of the truth of ``simulate_sessions``.
    n_bins
        Number of bins of the probability.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If there are not as many sessions, or too few units in one.
    TypeError
        If these are not tracks.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> sessions, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    >>> plot_calibration(track_units(sessions), truth.neuron).get_xlabel()
    'probability of one neuron'
    """
    check_positive(n_bins=n_bins)
    said, same = _said_and_true(tracks, neuron)
    bins = np.minimum((said * n_bins).astype(np.int64), n_bins - 1)
    count = np.bincount(bins, minlength=n_bins)
    filled = np.flatnonzero(count)
    n = count[filled]
    mean = np.bincount(bins, said, n_bins)[filled] / n
    share = np.bincount(bins, same, n_bins)[filled] / n
    low, high = _wilson(share, n)
    brier = float(np.mean((said - same) ** 2)) if len(said) else float("nan")
    with paper_style():
        ax = axes_or_new(ax, figsize=(3.2, 3.2))
        ax.plot([0, 1], [0, 1], ":", color=MUTED, lw=0.8)
        ax.vlines(mean, low, high, color=UNIT_COLORS[0], lw=1.0)
        ax.plot(mean, share, "o-", color=UNIT_COLORS[0], ms=4, lw=1.0)
        for x, y, pairs in zip(mean, low, n, strict=True):
            ax.annotate(
                f"{pairs:,}", (x, y), (0, -3), textcoords="offset points", fontsize=6, ha="center", va="top", color=INK
            )
        ax.set_xlim(-0.03, 1.03)
        ax.set_ylim(-0.1, 1.05)
        ax.set_aspect("equal")
        ax.set_title(f"Brier score {brier:.3f}")
        ax.set_xlabel("probability of one neuron")
        ax.set_ylabel("share that is one neuron")
    return ax


def _said_and_true(
    tracks: xr.DataTree, neuron: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities of the pairs, and whether they are the same neuron."""
    track_numbers(tracks)
    units, pairs = tracks["units"].to_dataset(), tracks["pairs"].to_dataset()
    session, row = units["session"].values, units["row"].values
    lengths = np.array([len(one) for one in neuron], np.int64)
    if len(lengths) != len(tracks.attrs["sessions"]):
        raise ParameterError(
            f"neuron has {len(lengths)} sessions, the tracks have {len(tracks.attrs['sessions'])}; give one array each"
        )
    if (row >= lengths[session]).any():
        short = int(session[row >= lengths[session]][0])
        raise ParameterError(f"neuron has {lengths[short]} units in session {short}; give one number for each unit")
    starts = np.cumsum(lengths) - lengths
    true = np.concatenate([np.asarray(one) for one in neuron])[starts[session] + row]
    same = true[pairs["first"].values] == true[pairs["second"].values]
    return np.asarray(pairs["probability"].values, np.float64), same


def _wilson(share: NDArray[np.float64], n: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return middle - half, middle + half
