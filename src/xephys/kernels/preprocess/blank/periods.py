"""Replace periods of samples by zeros, noise, or a line or spline through the surrounding samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.core import core_rows
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.splitmix import splitmix


def silence_periods(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    start: int,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    noise_levels: NDArray[np.float32],
    seed: int,
) -> NDArray[np.float32]:
    """Set the samples of periods to zero, or to normal noise of a given size.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    start
        Number of the first sample returned, on the axis of ``first`` and ``last``.
    first, last
        Periods ``[first, last)``, ascending and disjoint.
    noise_levels
        Standard deviation of the noise on each channel; 0 for zeros.
    seed
        Seed of the noise, which otherwise depends only on the numbers of the sample and the channel.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> silence_periods(np.ones((4, 1), np.float32), start=10, first=np.array([11]), last=np.array([13]),
    ...                 noise_levels=np.zeros(1, np.float32), seed=0).ravel().tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    silenced = np.array(core_rows(traces, before, after), np.float32)
    for rows, _ in _periods_inside(start, len(silenced), first, last):
        if noise_levels.any():
            _fill_with_noise(silenced, rows.start, rows.stop, start, noise_levels, np.uint64(seed))
        else:
            silenced[rows] = 0.0
    return silenced


def bridge_periods(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    start: int,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    n_samples: int,
    n_fit_points: int,
    fit_step_samples: int,
    fit_window_samples: int,
) -> NDArray[np.float32]:
    """Replace the samples of periods by a curve through the samples on either side.

    With one point on each side, the curve is a line between the neighbors of the period. With more points, it is a
    cubic spline through medians of a few samples. At an end of the recording, where one side is missing, the nearest
    value is held.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Halo: the longest period and the points beside it.
    start
        Number of the first sample returned, on the axis of ``first`` and ``last``.
    first, last
        Periods ``[first, last)``, ascending and disjoint; those closer than the halo have been merged.
    n_samples
        Length of the recording.
    n_fit_points, fit_step_samples, fit_window_samples
        Number of points on each side, their distance, and the number of samples whose median each point is.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> ramp = np.array([[0], [1], [50], [60], [4], [5]], np.float32)
    >>> bridge_periods(ramp, before=0, after=0, start=0, first=np.array([2]), last=np.array([4]), n_samples=6,
    ...                n_fit_points=1, fit_step_samples=1, fit_window_samples=1).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    bridged = np.array(core_rows(traces, before, after), np.float32)
    origin = start - before
    masked = np.zeros(len(traces) + 1, np.int64)
    for number in range(len(first)):
        lo, hi = (int(np.clip(edge - origin, 0, len(traces))) for edge in (first[number], last[number]))
        masked[lo:hi] = 1
    for rows, number in _periods_inside(start, len(bridged), first, last):
        at, values = _fit_points(
            traces, masked, int(first[number]) - origin, int(last[number]) - origin, -origin, n_samples - origin,
            n_fit_points, fit_step_samples, fit_window_samples,
        )  # fmt: skip
        wanted = np.arange(rows.start, rows.stop) + before
        bridged[rows] = _curve(np.array(at), np.array(values), wanted)
    return bridged


def merged_periods(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ascending, disjoint periods that cover the same samples.

    Examples
    --------
    >>> [edge.tolist() for edge in merged_periods(np.array([9, 1, 2]), np.array([12, 5, 3]))]
    [[1, 9], [5, 12]]
    """
    order = np.argsort(first, kind="stable")
    begin, end = first[order], np.maximum.accumulate(last[order]) if len(last) else last
    fresh = np.ones(len(begin), bool)
    fresh[1:] = begin[1:] > end[:-1]
    groups = np.flatnonzero(fresh)
    return begin[groups], np.maximum.reduceat(end, groups) if len(groups) else end


def _periods_inside(start: int, n: int, first: NDArray[np.int64], last: NDArray[np.int64]) -> list[tuple[slice, int]]:
    """Rows of the core in each period, and the number of the period."""
    begin, end = np.searchsorted(last, start, side="right"), np.searchsorted(first, start + n, side="left")
    return [(slice(max(int(first[k]) - start, 0), min(int(last[k]) - start, n)), int(k)) for k in range(begin, end)]


def _fit_points(
    traces: NDArray[Any],
    masked: NDArray[np.int64],
    lo: int,
    hi: int,
    bottom: int,
    top: int,
    n_points: int,
    step: int,
    window: int,
) -> tuple[list[float], list[NDArray[np.float64]]]:
    """Positions and values of the points on both sides of rows ``[lo, hi)``, ignoring samples of other periods."""
    at: list[float] = []
    values: list[NDArray[np.float64]] = []
    lowest, highest = max(bottom, 0), min(top, len(traces))
    for side in (-1, 1):
        for k in range(n_points):
            edge = lo - 1 - k * step if side < 0 else hi + k * step
            a, b = (edge - window + 1, edge + 1) if side < 0 else (edge, edge + window)
            rows = np.arange(max(a, lowest), min(b, highest))
            rows = rows[masked[rows] == 0]
            if len(rows):
                at.append(float(rows.mean()))
                values.append(np.median(traces[rows].astype(np.float64), axis=0))
    order = np.argsort(at)
    return [at[k] for k in order], [values[k] for k in order]


def _curve(at: NDArray[np.float64], values: NDArray[np.float64], wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values ``(wanted, channel)`` of the line, or of the spline if there are at least five points."""
    from scipy.interpolate import CubicSpline

    if len(at) == 0:
        return np.zeros((len(wanted), 1))
    inside = np.clip(wanted, at[0], at[-1])
    if len(at) >= 5:
        spline: NDArray[np.float64] = CubicSpline(at, values)(inside)
        return spline
    right = np.clip(np.searchsorted(at, inside, side="left"), 1, max(len(at) - 1, 1))
    if len(at) == 1:
        return np.repeat(values, len(wanted), axis=0)
    share = ((inside - at[right - 1]) / (at[right] - at[right - 1]))[:, None]
    line: NDArray[np.float64] = (1 - share) * values[right - 1] + share * values[right]
    return line


@kernel
def _fill_with_noise(
    traces: NDArray[np.float32],
    row: int,
    stop: int,
    start: int,
    noise_levels: NDArray[np.float32],
    seed: np.uint64,
) -> None:
    """Normal random numbers by the Box–Muller transform of two hashes of sample, channel and seed."""
    for t in range(row, stop):
        for c in range(traces.shape[1]):
            place = splitmix(np.uint64(start + t) * np.uint64(0x9E3779B97F4A7C15) + seed) + np.uint64(c)
            one = (np.float64(splitmix(place) >> np.uint64(11)) + 0.5) / 9007199254740992.0
            two = np.float64(splitmix(place ^ np.uint64(0xD1B54A32D192ED03)) >> np.uint64(11)) / 9007199254740992.0
            traces[t, c] = noise_levels[c] * np.sqrt(-2.0 * np.log(one)) * np.cos(2.0 * np.pi * two)
