"""Position of a unit from its template, by four methods, in µm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.localize.point_source import fit_sources

#: Grid of :func:`grid_places`: spacing, radius around the peak channel, and margin around the probe, in µm.
GRID_UM, GRID_RADIUS_UM, GRID_MARGIN_UM = 5.0, 40.0, 50.0
#: Depths of the expected footprints, decay length of a footprint, and percentage of the best matches that is used.
GRID_DEPTHS_UM = np.linspace(0.0, 120.0, 5)
GRID_DECAY_UM = 2.5
GRID_PERCENT = 5.0


def template_sizes(templates: NDArray[np.floating], feature: str, *, nbefore: int) -> NDArray[np.float64]:
    """Amplitude of each template on each channel.

    Parameters
    ----------
    templates : (unit, sample, slot)
    feature : {"ptp", "energy", "peak_voltage"}
    nbefore : int

    Examples
    --------
    >>> template_sizes(np.float32([[[0], [-3], [1]]]), "ptp", nbefore=1).tolist()
    [[4.0]]
    """
    values = np.asarray(templates, np.float64)
    if feature == "energy":
        return np.asarray(np.linalg.norm(values, axis=1))
    if feature == "peak_voltage":
        return np.asarray(np.abs(values[:, nbefore]))
    return np.asarray(np.ptp(values, axis=1))


def mass_places(
    sizes: NDArray[np.float64], channels: NDArray[np.int32], positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean position of the channels weighted by their amplitudes ``(unit, 2)``; NaN if all are zero.

    Examples
    --------
    >>> mass_places(np.array([[3.0, 1.0]]), np.array([[0, 1]], np.int32), np.array([[0, 0], [0, 40.0]])).tolist()
    [[0.0, 10.0]]
    """
    weights = np.where(channels >= 0, sizes, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    moments = (weights[:, :, None] * positions[np.maximum(channels, 0)]).sum(axis=1)
    return np.asarray(np.divide(moments, total, out=np.full(moments.shape, np.nan), where=total > 0))


def source_places(
    sizes: NDArray[np.float64],
    channels: NDArray[np.int32],
    positions: NDArray[np.float64],
    *,
    distance_max_um: float = 1000.0,
) -> NDArray[np.float64]:
    """Position and strength ``(x, y, z, alpha)`` of the point source that fits the amplitudes best; NaN if all are
    zero.

    The amplitude on a channel is ``alpha`` over the distance. The sum of squared differences is minimized within
    ``distance_max_um`` of the center of mass, with an ``alpha`` of at most this distance times the largest amplitude
    (Boussard et al. 2021, NeurIPS 34:22130).

    Examples
    --------
    >>> places = np.array([[x, y] for y in range(0, 100, 20) for x in (0.0, 30.0)])
    >>> sizes = 1000 / np.sqrt(((places - [10.0, 45.0]) ** 2).sum(axis=1) + 15.0 ** 2)
    >>> source_places(sizes[None], np.arange(10, dtype=np.int32)[None], places).round(1).tolist()
    [[10.0, 45.0, 15.0, 1000.0]]
    """
    out = np.full((len(sizes), 4), np.nan)
    centers = mass_places(sizes, channels, positions[:, :2])
    fitted = np.isfinite(centers[:, 0])
    values = np.where(channels >= 0, sizes, 0.0)[fitted]
    out[fitted] = fit_sources(
        values, np.arange(len(values)), channels[fitted], np.ascontiguousarray(positions, np.float64), centers[fitted],
        float(distance_max_um), 0.0, float(distance_max_um),
    )  # fmt: skip
    return out


def grid_places(
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    positions: NDArray[np.float64],
    peak_channels: NDArray[np.int64],
    prototype: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean position ``(x, y, z)`` of the grid points whose expected footprints match the template best; 0 if none does.

    Parameters
    ----------
    templates : (unit, sample, slot) float32
    channels : (unit, slot) int32
    positions : (channel, 2)
    peak_channels : (unit,) int64
    prototype : (sample,) float64
        Expected time course.
    """
    low, high = positions.min(axis=0) - GRID_MARGIN_UM, positions.max(axis=0) + GRID_MARGIN_UM
    axes = [np.arange(a, b + GRID_UM / 10, GRID_UM) for a, b in zip(low, high, strict=True)]
    x, y = np.meshgrid(*axes)
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    sparse_below = 0.5 / np.sqrt(len(positions))
    out = np.zeros((len(templates), 3))
    for unit, listed in enumerate(channels):
        near = grid[np.linalg.norm(grid - positions[peak_channels[unit]], axis=1) <= GRID_RADIUS_UM]
        flat = np.linalg.norm(positions[:, None] - near[None], axis=2)
        products = np.zeros(len(positions))
        used = listed >= 0
        products[listed[used]] = (templates[unit][:, used] * prototype[:, None]).sum(axis=0)
        weights = np.exp(-np.sqrt(flat[None] ** 2 + GRID_DEPTHS_UM[:, None, None] ** 2) / GRID_DECAY_UM)
        weights = _unit_norm(weights)
        weights = _unit_norm(np.where(weights < sparse_below, 0.0, weights))
        matches = np.einsum("c,zcg->zg", products, weights)
        negative = matches < 0
        threshold = np.percentile(matches[~negative], 100.0 - GRID_PERCENT) if not negative.all() else 0.0
        matches = np.where(negative | (matches < threshold), 0.0, matches)
        total = matches.sum()
        if total > 0:
            out[unit, :2] = (matches.sum(axis=0)[:, None] * near).sum(axis=0) / total
            out[unit, 2] = (matches.sum(axis=1) * GRID_DEPTHS_UM).sum() / total
    return out


def _unit_norm(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.linalg.norm(weights, axis=1, keepdims=True)
    return np.asarray(np.divide(weights, norm, out=np.zeros_like(weights), where=norm > 0))
