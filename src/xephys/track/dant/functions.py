"""Functions of pyDANT that work on arrays, under its names and with its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError

if TYPE_CHECKING:
    from .motion import Motion


def computeAutoCorr(spike_times: Any, window: float, binwidth: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Count the pairs of spikes of one train by their rounded lag.

    Parameters
    ----------
    spike_times
        In ms, in any order.
    window, binwidth
        Largest lag, and width of a bin, in ms.

    Returns
    -------
    counts, lags
        Of all lags from ``-window`` to ``window``; each pair counts once at lag 0, and once on either side otherwise.

    Examples
    --------
    >>> counts, lags = computeAutoCorr(np.array([0.0, 0.3, 2.4, 2.6, 9.5]), 4, 1)
    >>> counts.tolist()
    [0.0, 1.0, 3.0, 0.0, 2.0, 0.0, 3.0, 1.0, 0.0]
    """
    check_positive(window=window, binwidth=binwidth)
    times = np.sort(np.asarray(spike_times, np.float64).ravel())
    n_half = int(window // binwidth)
    half = np.zeros(n_half + 1)
    for apart in range(1, len(times)):
        lag = np.round((times[apart:] - times[:-apart]) / binwidth)
        near = lag <= n_half
        if not near.any():
            break
        half += np.bincount(lag[near].astype(np.int64), minlength=n_half + 1)
    lags = np.arange(-n_half, n_half + 1) * np.int64(binwidth) if binwidth == int(binwidth) else None
    return np.concatenate([half[:0:-1], half]), np.arange(-n_half, n_half + 1) if lags is None else lags


def computeKernel2D(xp: Any, yp: Any, sig: float = 20) -> NDArray[np.float64]:
    """Covariance of the potential at places ``(place, 2)`` in µm: exponential, with a length of 1.5 ``sig`` along y.

    Examples
    --------
    >>> computeKernel2D([[0.0, 0.0]], [[0.0, 30.0], [20.0, 0.0]]).round(4).tolist()
    [[0.3679, 0.3679]]
    """
    check_positive(sig=sig)
    from ...kernels.track.dant.registration import covariance

    return covariance(np.asarray(xp, np.float64), np.asarray(yp, np.float64), across_um=float(sig))


def corrcoef2(x: Any, y: Any) -> NDArray[np.float64]:
    """Correlation of the columns of ``x`` with the columns of ``y``; 0 where one of them is constant.

    Examples
    --------
    >>> corrcoef2([[1.0], [2.0], [3.0]], [[2.0, 1.0], [4.0, 1.0], [6.0, 1.0]]).round(6).tolist()
    [[1.0, 0.0]]
    """
    first, second = (np.asarray(values, np.float64) for values in (x, y))
    if len(first) != len(second):
        raise ParameterError(f"columns of {len(first)} and of {len(second)} values cannot be correlated")
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    length = np.multiply.outer(np.sqrt((first**2).sum(axis=0)), np.sqrt((second**2).sum(axis=0)))
    product = first.T @ second
    return np.asarray(np.divide(product, length, out=np.zeros_like(product), where=length > 0))


def getNearbyPairs(
    max_distance: float, sessions: Any, locations: Any, motion: Motion | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of units at most ``max_distance`` µm apart in depth, and their sessions.

    Parameters
    ----------
    max_distance
    sessions
        Session of each unit, from 1 on.
    locations
        ``(unit, 2)`` or ``(unit, 3)``: x and y in µm, and z.
    motion
        Motion to be subtracted; none if None.

    Returns
    -------
    pairs, sessions : (pair, 2)
        In order of the second unit, then of the first.

    Examples
    --------
    >>> getNearbyPairs(15, [1, 1, 2], [[0, 0], [0, 20], [0, 10]])[0].tolist()
    [[0, 2], [1, 2]]
    """
    check_positive(max_distance=max_distance)
    session, places = np.asarray(sessions, np.int64).ravel(), np.asarray(locations, np.float64)
    depth = places[:, 1] - (0.0 if motion is None else motion.get_motion(session, places[:, 1]))
    order = np.argsort(depth, kind="stable")
    ends = np.searchsorted(depth[order], depth[order] + max_distance, side="right")
    counts = ends - np.arange(len(order)) - 1
    at = np.repeat(np.arange(len(order)), counts)
    step = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    pairs = np.sort(np.column_stack([order[at], order[at + step]]), axis=1)
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    return pairs, session[pairs]


def graphEditNumber(matA: Any, matB: Any) -> tuple[int, int, int]:
    """Compare the edges of two undirected graphs: those that both have, those of the first, and those of the second.

    Examples
    --------
    >>> graphEditNumber([[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    (1, 1, 2)
    """
    first, second = (np.triu(np.asarray(matrix) != 0, 1) for matrix in (matA, matB))
    if first.shape != second.shape:
        raise ParameterError(f"graphs of shapes {first.shape} and {second.shape} cannot be compared")
    return int((first & second).sum()), int(first.sum()), int(second.sum())


def waveformEstimation(
    waveform_mean: Any, location: Any, channel_locations: Any, location_new: Any
) -> NDArray[np.float64]:
    """The waveform ``(channel, sample)`` of a unit as it would be after a move, by kriging from its channels.

    Parameters
    ----------
    waveform_mean
        ``(channel, sample)``.
    location, location_new
        x and y of the unit in µm before and after the move.
    channel_locations
        ``(channel, 2)`` in µm.

    Examples
    --------
    >>> contacts = np.column_stack([np.zeros(9), 20.0 * np.arange(9)])
    >>> moved = waveformEstimation(np.eye(9)[:, 4:5], [0.0, 80.0], contacts, [0.0, 100.0])
    >>> int(moved[:, 0].argmax())
    5
    """
    from ...kernels.track.dant.registration import NUGGET

    contacts = np.asarray(channel_locations, np.float64)[:, :2]
    moved = contacts - (np.asarray(location_new, np.float64)[:2] - np.asarray(location, np.float64)[:2])
    among = computeKernel2D(contacts, contacts) + NUGGET * np.eye(len(contacts))
    return np.asarray(computeKernel2D(moved, contacts) @ np.linalg.solve(among, np.asarray(waveform_mean, np.float64)))
