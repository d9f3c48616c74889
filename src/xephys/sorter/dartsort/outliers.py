"""Displacements that no tissue makes, replaced by what is interpolated between the others."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

#: Of two bins, nothing tells which is wrong.
N_TIMES_MIN = 3


def without_outliers(
    motion: xr.Dataset, *, speed_max_um_per_s: float, distance_max_um: float, n_bins: int
) -> xr.Dataset:
    """The motion with displacements interpolated over time where they are too fast, or too far from their neighbors.

    Parameters
    ----------
    motion
        From :func:`xephys.estimate_motion`.
    speed_max_um_per_s
        A bin is too fast if the tissue comes into it, and leaves it, faster than this. The bin beside a lasting jump is
        none.
    distance_max_um
        Largest distance from the median over ``n_bins`` bins around.
    n_bins
        Number of these bins.

    Returns
    -------
    The motion itself if all of its bins are plausible.

    Examples
    --------
    >>> import xephys
    >>> motion = xephys.make_motion([[0.0], [90.0], [2.0], [3.0]], time_s=[0, 1, 2, 3], depth_um=[0])
    >>> without_outliers(motion, speed_max_um_per_s=50, distance_max_um=250, n_bins=3).displacement_um.values.ravel()
    array([0., 1., 2., 3.], dtype=float32)
    """
    values = motion["displacement_um"].transpose("shank", "time", "depth").values.astype(np.float64)
    times = motion["time"].values.astype(np.float64)
    if len(times) < N_TIMES_MIN:
        return motion
    speed = np.abs(np.diff(values, axis=1)) / np.diff(times)[:, None]
    over = speed > speed_max_um_per_s
    fast = np.zeros(values.shape, bool)
    fast[:, 1:-1] = over[:, 1:] & over[:, :-1]
    # The first and the last bin have one neighbor, and one of the two is wrong: the neighbor if its other side is, too.
    fast[:, 0], fast[:, -1] = over[:, 0] & ~fast[:, 1], over[:, -1] & ~fast[:, -2]
    far = np.abs(values - median_around(values, n_bins)) > distance_max_um
    wrong = fast | far
    wrong &= ~wrong.all(axis=1, keepdims=True)  # nothing to interpolate from
    if not wrong.any():
        return motion
    return motion.assign(displacement_um=(("shank", "time", "depth"), _interpolated(values, ~wrong).astype(np.float32)))


def median_around(values: NDArray[np.float64], n_bins: int) -> NDArray[np.float64]:
    """Median of ``n_bins`` bins of the second axis around each; before the first bin and after the last, these two.

    It is the upper one of the two middle values if there are two.
    """
    before = n_bins // 2
    wide = np.pad(values, ((0, 0), (before, n_bins - 1 - before), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(wide, n_bins, axis=1)
    return np.asarray(np.partition(around, n_bins // 2, axis=-1)[..., n_bins // 2])


def _interpolated(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Linear over the second axis between known values, and constant before the first and after the last."""
    n_times = values.shape[1]
    rows = np.arange(n_times)[None, :, None]
    before = np.maximum.accumulate(np.where(known, rows, -1), axis=1)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(known, rows, n_times), axis=1), axis=1), axis=1)
    left, right = np.where(before < 0, after, before), np.where(after >= n_times, before, after)
    share = np.where(right > left, (rows - left) / np.maximum(right - left, 1), 0.0)
    low, high = np.take_along_axis(values, left, axis=1), np.take_along_axis(values, right, axis=1)
    return np.asarray(low + share * (high - low))
