"""Peaks of a time bin, and their counts by depth: the starting point of every motion estimate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel

#: A Gaussian is cut at this many standard deviations.
_REACH_SD = 4.0


def gaussian_kernel(sd_bins: float) -> NDArray[np.float64]:
    """Samples of a Gaussian, odd in number and with sum 1; a single 1 if its width is zero."""
    if sd_bins <= 0:
        return np.ones(1)
    reach = max(1, math.ceil(_REACH_SD * sd_bins))
    values = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd_bins) ** 2)
    return np.asarray(values / values.sum())


@kernel
def depth_raster(
    time_bin: NDArray[np.int64],
    depth_bin: NDArray[np.int64],
    weight: NDArray[np.float32],
    n_times: int,
    n_depths: int,
) -> NDArray[np.float32]:
    """Sum of the weights of the peaks in each cell, ``(n_times, n_depths)``; peaks beyond the cells are left out."""
    raster = zeros((n_times, n_depths), np.float32)
    for i in range(len(time_bin)):
        t, z = time_bin[i], depth_bin[i]
        if 0 <= t < n_times and 0 <= z < n_depths:
            raster[t, z] += weight[i]
    return raster


@kernel
def smooth_rows(values: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Convolve each row with a symmetric kernel, with zeros beyond the ends."""
    n_rows, n = values.shape
    reach = len(kernel) // 2
    out = np.zeros_like(values)
    for row in range(n_rows):
        for j in range(n):
            value = values[row, j]
            if value != 0.0:
                for k in range(max(0, j - reach), min(n, j + reach + 1)):
                    out[row, k] += value * kernel[k - j + reach]
    return out


@kernel
def smooth_columns(values: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Convolve each column with a symmetric kernel, with zeros beyond the ends."""
    n_rows, n = values.shape
    reach = len(kernel) // 2
    out = np.zeros_like(values)
    for row in range(n_rows):
        for k in range(max(0, row - reach), min(n_rows, row + reach + 1)):
            for j in range(n):
                out[row, j] += np.float32(kernel[k - row + reach]) * values[k, j]
    return out


def spatial_windows(
    depth_um: NDArray[np.float64],
    *,
    centers_um: NDArray[np.float64],
    scale_um: float,
    shape: str,
) -> NDArray[np.float32]:
    """Weights of the depths in each window, ``(window, depth)``, each with sum 1.

    Parameters
    ----------
    depth_um
        Centers of the depth bins.
    centers_um
        Centers of the windows.
    scale_um
        Width: twice the standard deviation of a Gaussian, or the whole width of a triangle or rectangle.
    shape
        ``"gaussian"``, ``"triangle"`` or ``"rect"``.
    """
    distance = np.abs(depth_um[None, :] - centers_um[:, None])
    if shape == "gaussian":
        weights = np.exp(-0.5 * (distance / (scale_um / 2)) ** 2)
    elif shape == "triangle":
        weights = np.maximum(0.0, 1 - distance / (scale_um / 2))
    else:
        weights = (distance <= scale_um / 2).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    weights[weights < 1e-5] = 0.0
    return np.ascontiguousarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
