"""Displacements of all bins from displacements between pairs of them: a banded linear system.

Pairs reach no farther than the time horizon, and windows are coupled only with their neighbors along depth. With bins
in order of time, and the windows of a bin side by side, the system is banded: memory and time are linear in the number
of bins.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from xephys.kernels.lib.inner import KERNEL, kernel

#: Keeps the system solvable where there are no pairs; far below the weight of a single pair.
_RIDGE = 1e-8


def solve_pairs(
    lag_um: NDArray[np.floating],
    weight: NDArray[np.float64],
    time_lags: NDArray[np.int64],
    *,
    time_smoothness: float,
    depth_smoothness: float,
    fixed: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Smooth displacements that agree best with those between pairs.

    Minimizes the weighted squares of ``lag - (p[t] - p[t - k])`` plus ``time_smoothness`` times the squared steps in
    time and ``depth_smoothness`` times those between neighboring windows.

    Parameters
    ----------
    lag_um, weight
        ``(time, time lag, window)``.
    time_lags
        Ascending distances, in bins, of the two bins of a pair.
    time_smoothness, depth_smoothness
        Weights of the two penalties.
    fixed
        Displacements of the first bins, ``(n_fixed, window)``, which are kept; None if there are none.

    Returns
    -------
    ``(time, window)``; without ``fixed`` bins, only differences in time are meaningful.
    """
    n_times, _, n_windows = lag_um.shape
    n_fixed = 0 if fixed is None else len(fixed)
    known = np.zeros((n_times, n_windows))
    if fixed is not None:
        known[:n_fixed] = fixed
    reach = min(int(time_lags[-1]), max(n_times - n_fixed - 1, 1))
    band = np.zeros(((n_times - n_fixed) * n_windows, reach * n_windows + 1))
    right = np.zeros((n_times - n_fixed, n_windows))
    _fill(
        np.asarray(lag_um, np.float64), weight, np.asarray(time_lags, np.int64), time_smoothness, depth_smoothness,
        known, n_fixed, band, right,
    )  # fmt: skip
    found = solveh_banded(np.ascontiguousarray(band.T), right.ravel(), lower=True, overwrite_ab=True)
    known[n_fixed:] = found.reshape(right.shape)
    return known


@kernel
def _fill(
    lag: NDArray[np.float64],
    weight: NDArray[np.float64],
    time_lags: NDArray[np.int64],
    time_smoothness: float,
    depth_smoothness: float,
    known: NDArray[np.float64],
    n_fixed: int,
    band: NDArray[np.float64],
    right: NDArray[np.float64],
) -> None:
    """Lower band ``(unknown, distance)`` and right-hand side of the normal equations."""
    n_times, n_lags, n_windows = lag.shape
    for t in range(n_fixed, n_times):
        row = (t - n_fixed) * n_windows
        for b in range(n_windows):
            band[row + b, 0] += _RIDGE
            if b + 1 < n_windows:
                _couple(band, row + b, 1, depth_smoothness)
            if t > 0:
                _pair(band, right, known, t, 1, b, n_fixed, n_windows, time_smoothness, 0.0)
            for k in range(n_lags):
                if t - time_lags[k] >= 0 and weight[t, k, b] > 0.0:
                    _pair(band, right, known, t, time_lags[k], b, n_fixed, n_windows, weight[t, k, b], lag[t, k, b])


@njit(**KERNEL, inline="always")
def _couple(band: NDArray[np.float64], row: int, distance: int, weight: float) -> None:
    band[row, 0] += weight
    band[row + distance, 0] += weight
    band[row, distance] -= weight


@njit(**KERNEL, inline="always")
def _pair(
    band: NDArray[np.float64],
    right: NDArray[np.float64],
    known: NDArray[np.float64],
    t: int,
    step: int,
    window: int,
    n_fixed: int,
    n_windows: int,
    weight: float,
    lag: float,
) -> None:
    early = t - step
    if early >= n_fixed:
        _couple(band, (early - n_fixed) * n_windows + window, step * n_windows, weight)
        right[early - n_fixed, window] -= weight * lag
        right[t - n_fixed, window] += weight * lag
    else:
        band[(t - n_fixed) * n_windows + window, 0] += weight
        right[t - n_fixed, window] += weight * (lag + known[early, window])
