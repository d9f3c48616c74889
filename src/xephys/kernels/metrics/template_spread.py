"""Spread of templates over the probe: velocities of their trough, decay of their amplitude, and extent in depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from xephys.kernels.metrics.exponential_decay import fit_decay
from xephys.kernels.metrics.template_shape import UPSAMPLING, upsampled

COLUMNS = ("velocity_above", "velocity_below", "exp_decay", "spread")
#: Fits that explain a smaller share of the variance are ignored.
R2_MIN = 0.2
VELOCITY_CHANNELS_MIN = 3
SPREAD_THRESHOLD, SPREAD_SMOOTH_UM = 0.2, 20.0


def template_spreads(
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    positions: NDArray[np.float64],
    *,
    sampling_frequency: float,
) -> NDArray[np.float64]:
    """The quantities in :data:`COLUMNS` for each template: µm/ms, 1/µm and µm.

    Parameters
    ----------
    templates : (unit, sample, slot) float32
    channels : (unit, slot) int32
        Padded with -1.
    positions : (channel, 2) float64
        µm.
    sampling_frequency : float
        In hertz.

    Returns
    -------
    (unit, column) float64
        NaN if a fit explains too little, or there are too few channels.

    Examples
    --------
    >>> positions = np.stack([np.zeros(9), np.arange(9) * 20.0], axis=1)
    >>> times = np.arange(60)[:, None] - 20 - 0.5 * np.arange(9)
    >>> template = -np.exp(-(times / 6) ** 2) * np.exp(-np.abs(np.arange(9) - 3) / 2) * 100
    >>> found = template_spreads(template[None].astype("f4"), np.arange(9, dtype="i4")[None], positions,
    ...     sampling_frequency=30_000.0)
    >>> round(found[0, 0])
    1200
    """
    out = np.full((len(templates), len(COLUMNS)), np.nan)
    for unit, (template, listed) in enumerate(zip(upsampled(templates), channels, strict=True)):
        used = listed >= 0
        values, places = template[:, used].astype(np.float64), positions[listed[used], :2]
        if not np.abs(values).max(initial=0.0) > 0:
            continue
        order = np.argsort(places[:, 1], kind="stable")
        out[unit, :2] = _velocities(values[:, order], places[order], sampling_frequency * UPSAMPLING)
        out[unit, 2] = _decay(values, places)
        out[unit, 3] = _spread(values[:, order], places[order])
    return out


def _velocities(template: NDArray[np.float64], places: NDArray[np.float64], rate: float) -> tuple[float, float]:
    sample, channel = np.unravel_index(int(template.argmin()), template.shape)
    times_ms = (template.argmin(axis=0) - sample) / rate * 1e3
    apart = np.linalg.norm(places - places[channel], axis=1)
    depth = places[:, 1] - places[channel, 1]
    return _velocity(apart[depth >= 0], times_ms[depth >= 0]), _velocity(apart[depth <= 0], times_ms[depth <= 0])


def _velocity(apart: NDArray[np.float64], times_ms: NDArray[np.float64]) -> float:
    if len(apart) < VELOCITY_CHANNELS_MIN:
        return float("nan")
    inverse, score = median_line(apart, times_ms)
    return 1 / inverse if score > R2_MIN and inverse != 0 else float("nan")


def median_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Median of the slopes between all pairs of points (Theil and Sen), and the share of the variance it explains.

    Examples
    --------
    >>> slope, explained = median_line(np.array([0.0, 1, 2, 3]), np.array([0.0, 2, 4, 99]))
    >>> slope
    17.5
    """
    first, second = np.triu_indices(len(x), 1)
    apart, rise = x[second] - x[first], y[second] - y[first]
    used = np.abs(apart) > 1e-12
    if not used.any():
        return float("nan"), -np.inf
    slope = float(np.median(rise[used] / apart[used]))
    left = y - slope * x - np.median(y - slope * x)
    return slope, float(1 - (left**2).sum() / (((y - y.mean()) ** 2).sum() + 1e-12))


def _decay(template: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    sizes = np.ptp(template, axis=0)
    apart = np.linalg.norm(places - places[sizes.argmax()], axis=1)
    order = np.argsort(apart, kind="stable")
    x, y = apart[order], sizes[order]
    if len(x) < 4:  # not more points than parameters
        return float("nan")
    decay, explained = fit_decay(x, y)
    return float(decay) if explained >= R2_MIN else float("nan")


def _spread(template: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    sizes, depths = np.ptp(template, axis=0), places[:, 1]
    steps = np.diff(np.unique(depths))
    if len(steps):
        sizes = gaussian_filter1d(sizes, SPREAD_SMOOTH_UM / np.median(steps))
    return float(np.ptp(depths[sizes > SPREAD_THRESHOLD * sizes.max()]))
