"""Fit a point source to the amplitudes of a spike on the surrounding channels.

The amplitude on a contact falls off as alpha / distance (Boussard et al., 2021). For any position of the source, the
best alpha has a closed form. The rest is a smooth least-squares problem in three unknowns, solved by a few
Levenberg–Marquardt steps on its projected residual (Golub and Pereyra, 1973; Kaufman, 1975). All sums of a step are
computed in one vectorized pass over the contacts.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.damped_step import damped_step
from xephys.kernels.lib.inner import INNER, KERNEL, kernel

MIN_Z_UM = 1.0
"""Minimum distance of a source from the contact plane."""

DEPTH_WEIGHT = 1e-4
"""SpikeInterface's weight of the depth term for spikes; without this term, far sources have no best depth."""

_INITIAL_Z_UM = 20.0
_MAX_STEPS = 100
_STEP_TOLERANCE_UM = 1e-4


def radial_decrease_steps(
    positions: NDArray[np.float64], neighbors: NDArray[np.int32], *, n_parents: int = 3
) -> NDArray[np.int32]:
    """Plan the order in which features are limited so that they do not grow with distance from the event's channel.

    Channels are processed from the nearest to the farthest. Each is limited to the largest of its parents: the
    `n_parents` channels closest to it among those strictly nearer to the event's channel.

    Parameters
    ----------
    positions : float64 (channel, 2)
        Contact positions, µm.
    neighbors : int32 (channel, k)
        Neighborhood of each channel, itself included, padded with -1.
    Number of parents of each channel.
        Parents of each channel.

    Returns
    -------
    int32 (channel, k, 1 + n_parents)
        For each step, the index in the row of `neighbors` of the limited channel, then those of its parents; padded
        with -1.

    Examples
    --------
    >>> positions = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]])
    >>> radial_decrease_steps(positions, np.tile(np.arange(3, dtype=np.int32), (3, 1)), n_parents=1)[0].tolist()
    [[1, 0], [2, 1], [-1, -1]]
    """
    n_channels, n_slots = neighbors.shape
    steps = np.full((n_channels, n_slots, 1 + n_parents), -1, dtype=np.int32)
    for channel in range(n_channels):
        slots = np.flatnonzero(neighbors[channel] >= 0)
        places = positions[neighbors[channel, slots]]
        radii = np.linalg.norm(places - positions[channel], axis=1)
        n_steps = 0
        for i in np.argsort(radii, kind="stable"):
            nearer = np.flatnonzero(radii < radii[i])
            if not nearer.size:
                continue
            gaps = np.linalg.norm(places[nearer] - places[i], axis=1)
            parents = nearer[np.argsort(gaps, kind="stable")[:n_parents]]
            steps[channel, n_steps, 0] = slots[i]
            steps[channel, n_steps, 1 : 1 + parents.size] = slots[parents]
            n_steps += 1
    return steps


@kernel
def enforce_decrease(
    sizes: NDArray[np.float64], channels: NDArray[np.int64], decrease_steps: NDArray[np.int32]
) -> None:
    for i in range(channels.size):
        for step in decrease_steps[channels[i]]:
            if step[0] < 0:
                break
            largest = 0.0
            for parent in step[1:]:
                if parent >= 0:
                    largest = max(largest, sizes[i, parent])
            sizes[i, step[0]] = min(sizes[i, step[0]], largest)


def fit_sources(
    sizes: NDArray[np.float64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    positions: NDArray[np.float64],
    centers: NDArray[np.float64],
    distance_max_um: float,
    depth_weight: float = DEPTH_WEIGHT,
    reach_max_um: float = np.inf,
) -> NDArray[np.float64]:
    """Sources (x, y, z, alpha) of all events.

    Minimizes ``mean((w - alpha q)^2) - depth_weight * log(1 + 10 z)`` over sources with an alpha of at most
    ``reach_max_um`` times the largest size, which is the distance at which a source of that alpha has this size.
    """
    sources: NDArray[np.float64] = _fit_sources(
        sizes, channels, neighbors, positions, centers, distance_max_um, depth_weight, reach_max_um
    )
    return sources


@njit(**KERNEL, error_model="numpy")
def _fit_sources(
    sizes: NDArray[np.float64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    positions: NDArray[np.float64],
    centers: NDArray[np.float64],
    distance_max_um: float,
    depth_weight: float,
    reach_max_um: float,
) -> NDArray[np.float64]:
    """Without defaults, which are types of their own for Numba: one kernel for all calls."""
    sources = empty((channels.size, 4), np.float64)
    n_slots = neighbors.shape[1]
    contact_x, contact_y, w = empty(n_slots), empty(n_slots), empty(n_slots)
    low, high, vectors, matrices = empty(3), empty(3), empty((6, 3)), empty((3, 3, 3))
    for i in range(channels.size):
        largest = sizes[i, 0]
        for j in range(1, n_slots):
            largest = max(largest, sizes[i, j])
        if not (largest > 0 and largest < np.inf):
            sources[i, 0], sources[i, 1] = positions[channels[i], 0], positions[channels[i], 1]
            sources[i, 2], sources[i, 3] = MIN_Z_UM, 0.0
            continue
        m = 0
        for j in range(n_slots):
            c = neighbors[channels[i], j]
            if c >= 0:
                contact_x[m], contact_y[m], w[m] = positions[c, 0], positions[c, 1], sizes[i, j] / largest
                m += 1
        for a in range(2):
            low[a], high[a] = centers[i, a] - distance_max_um, centers[i, a] + distance_max_um
        low[2], high[2] = MIN_Z_UM, 10 * distance_max_um
        x, y, z, alpha = _fit_source(
            contact_x[:m], contact_y[:m], w[:m], centers[i, 0], centers[i, 1], low, high, depth_weight, reach_max_um,
            vectors, matrices,
        )  # fmt: skip
        sources[i, 0], sources[i, 1], sources[i, 2], sources[i, 3] = x, y, z, alpha * largest
    return sources


@njit(**INNER, error_model="numpy")
def _fit_source(
    contact_x: NDArray[np.float64],
    contact_y: NDArray[np.float64],
    w: NDArray[np.float64],
    x: float,
    y: float,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    depth_weight: float,
    alpha_max: float,
    vectors: NDArray[np.float64],
    matrices: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """Source (x, y, z, alpha) of one event, starting from (x, y); the last two arguments are its working memory."""
    place, trial, step = vectors[0], vectors[1], vectors[2]
    gradient, trial_gradient, free = vectors[3], vectors[4], vectors[5]
    curvature, trial_curvature, factor = matrices[0], matrices[1], matrices[2]
    place[0], place[1], place[2] = x, y, min(_INITIAL_Z_UM, high[2])
    loss, alpha = _expand(contact_x, contact_y, w, place, depth_weight, alpha_max, gradient, curvature)
    damping = 1e-3
    for _ in range(_MAX_STEPS):
        damped_step(gradient, curvature, damping, place, low, high, step, free, factor)
        longest = 0.0
        for a in range(3):
            trial[a] = min(max(place[a] + step[a], low[a]), high[a])
            longest = max(longest, abs(trial[a] - place[a]))
        trial_loss, trial_alpha = _expand(
            contact_x, contact_y, w, trial, depth_weight, alpha_max, trial_gradient, trial_curvature
        )
        if trial_loss < loss:
            place, trial = trial, place
            gradient, trial_gradient = trial_gradient, gradient
            curvature, trial_curvature = trial_curvature, curvature
            loss, alpha = trial_loss, trial_alpha
            damping = max(damping * 0.2, 1e-9)
        else:
            damping *= 8
        # A short step ends the search, whether or not rounding let it lower the loss.
        if longest < _STEP_TOLERANCE_UM:
            break
    return place[0], place[1], place[2], alpha


@njit(**INNER, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _expand(
    contact_x: NDArray[np.float64],
    contact_y: NDArray[np.float64],
    w: NDArray[np.float64],
    place: NDArray[np.float64],
    depth_weight: float,
    alpha_max: float,
    gradient: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> tuple[float, float]:
    """Loss and alpha at a position; fills in the gradient and the Gauss–Newton curvature."""
    x, y, z = place[0], place[1], place[2]
    ww = wq = qq = 0.0
    wx = wy = wz = qx = qy = qz = 0.0
    xx = yy = zz = xy = xz = yz = 0.0
    # Reassociation lets the sums run in SIMD; their order is fixed at compile time.
    for i in range(w.size):
        to_x, to_y = contact_x[i] - x, contact_y[i] - y
        q2 = 1.0 / (to_x * to_x + to_y * to_y + z * z)
        q = np.sqrt(q2)
        q3 = q * q2
        # Derivatives of q by the place.
        dx, dy, dz = to_x * q3, to_y * q3, -z * q3
        ww += w[i] * w[i]
        wq += w[i] * q
        qq += q2
        wx += w[i] * dx
        wy += w[i] * dy
        wz += w[i] * dz
        qx += q * dx
        qy += q * dy
        qz += q * dz
        xx += dx * dx
        yy += dy * dy
        zz += dz * dz
        xy += dx * dy
        xz += dx * dz
        yz += dy * dz
    alpha = wq / qq
    rest = ww - alpha * wq
    if alpha > alpha_max:
        alpha = alpha_max
        rest = ww - alpha * (2.0 * wq - alpha * qq)
    scale = 2.0 / w.size
    gradient[0] = -scale * alpha * (wx - alpha * qx)
    gradient[1] = -scale * alpha * (wy - alpha * qy)
    gradient[2] = -scale * alpha * (wz - alpha * qz) - 10.0 * depth_weight / (1.0 + 10.0 * z)
    # Kaufman's Jacobian: alpha absorbs the part of alpha dq along q.
    factor = scale * alpha * alpha
    curvature[0, 0] = factor * (xx - qx * qx / qq)
    curvature[1, 1] = factor * (yy - qy * qy / qq)
    curvature[2, 2] = factor * (zz - qz * qz / qq) + 100.0 * depth_weight / (1.0 + 10.0 * z) ** 2
    curvature[0, 1] = curvature[1, 0] = factor * (xy - qx * qy / qq)
    curvature[0, 2] = curvature[2, 0] = factor * (xz - qx * qz / qq)
    curvature[1, 2] = curvature[2, 1] = factor * (yz - qy * qz / qq)
    return rest / w.size - depth_weight * np.log1p(10.0 * z), alpha
