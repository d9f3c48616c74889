"""Whitening: the covariance of the channels, and the weights that turn it into the identity.

Zero-phase (ZCA) whitening keeps each channel where it is: W = U diag(1/√(s + ε)) Uᵀ for a covariance U diag(s) Uᵀ.
The local form whitens each channel's neighborhood and keeps that channel's row of the result.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUM_ROWS = 4096
NOTHING = 1e-11  # relative variance that float32 rounding alone leaves where there is none


def covariance_sums(traces: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Sums over chunks for a mean and a covariance: Σx, Σxxᵀ and the number of samples, in float64.

    Examples
    --------
    >>> import numpy as np
    >>> covariance_sums(np.array([[1.0, 2.0], [3.0, 4.0]], dtype="float32"))
    (array([4., 6.]), array([[10., 14.],
           [14., 20.]]), 2)
    """
    channels = traces.shape[1]
    sum_x, sum_xx = np.zeros(channels), np.zeros((channels, channels))
    for start in range(0, len(traces), SUM_ROWS):
        part = traces[start : start + SUM_ROWS].astype(np.float64)
        sum_x += part.sum(axis=0)
        sum_xx += part.T @ part
    return sum_x, sum_xx, len(traces)


def whitening_matrix_global(
    covariance: NDArray[np.floating],
    *,
    eps: float = 1e-16,
    regularization: float = 0.0,
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Symmetric matrix W that whitens all channels together: whitened = traces @ W.

    Parameters
    ----------
    covariance
        Shape (channel, channel).
    eps
        Added to every eigenvalue.
    regularization
        Also added, as a fraction of the median eigenvalue, which makes it independent of the data's unit.
    good
        Mask over channels. Bad and constant channels are excluded: their rows and columns are zero.

    Returns
    -------
    ndarray
        Shape (channel, channel), float64. Directions in which the data do not vary at all get weight 0.

    Raises
    ------
    ValueError
        If the covariance is not a finite square matrix, or a regularisation is negative.

    Examples
    --------
    >>> import numpy as np
    >>> whitening_matrix_global(np.diag([4.0, 25.0]))
    array([[0.5, 0. ],
           [0. , 0.2]])
    """
    matrix, usable = _checked_covariance(covariance, eps, regularization, good)
    whitening = np.zeros_like(matrix)
    chosen = np.flatnonzero(usable)
    if len(chosen):
        block = np.ix_(chosen, chosen)
        whitening[block] = _inverse_square_roots(matrix[block][None], eps, regularization)[0]
    return whitening


def whitening_matrix_local(
    covariance: NDArray[np.floating],
    positions: NDArray[np.floating],
    *,
    n_nearest: int = 32,
    radius_um: float = np.inf,
    eps: float = 1e-16,
    regularization: float = 0.0,
    good: NDArray[np.bool_] | None = None,
    groups: NDArray[np.integer] | None = None,
    each: Callable[..., Iterable[NDArray[np.float64]]] = map,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each channel, the row that whitens it against its neighborhood.

    Parameters
    ----------
    covariance
        Shape (channel, channel).
    positions
        Shape (channel, 2 or 3), µm.
    n_nearest
        Maximum number of channels in a neighborhood, itself included; ties in distance go to the lower index.
    radius_um
        Channels farther away are left out.
    eps, regularization, good
        As in `whitening_matrix_global`.
    groups
        Group of each channel: channels of other groups are not neighbors. One group if None.
    each
        Applies a function to each item, as `map` does; it may use threads.

    Returns
    -------
    neighbors
        Shape (channel, k), int32, by increasing distance, padded with −1.
    weights
        Shape (channel, k), float32, padded with 0. A bad or constant channel has no neighbors: it whitens to 0.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, or ``n_nearest`` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> neighbors, weights = whitening_matrix_local(np.diag([4.0, 25.0, 1.0]), np.eye(3), n_nearest=1)
    >>> neighbors.ravel(), weights.ravel()
    (array([0, 1, 2], dtype=int32), array([0.5, 0.2, 1. ], dtype=float32))
    """
    matrix, usable = _checked_covariance(covariance, eps, regularization, good)
    places = np.asarray(positions, np.float64)
    channels = len(matrix)
    if places.ndim != 2 or len(places) != channels or not np.isfinite(places).all():
        raise ValueError(f"positions has shape {places.shape}, but must be finite and ({channels}, 2 or 3)")
    if n_nearest < 1:
        raise ValueError(f"n_nearest is {n_nearest}, but a neighborhood holds at least the channel itself")
    chosen = np.flatnonzero(usable)
    distances = np.linalg.norm(places[chosen, None] - places[None, chosen], axis=2)
    if groups is not None:
        distances[groups[chosen][:, None] != groups[chosen][None]] = np.inf
    np.fill_diagonal(distances, -1.0)  # itself first, even if contacts share a place
    order = np.argsort(distances, axis=1, kind="stable")
    within = (distances <= radius_um) & np.isfinite(distances)
    sizes = np.minimum(within.sum(axis=1), n_nearest)
    k = int(sizes.max(initial=1))
    neighbors = np.full((channels, k), -1, np.int32)
    weights = np.zeros((channels, k), np.float32)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        near = chosen[order[rows, :size]]
        blocks = [near[first : first + 32] for first in range(0, len(near), 32)]
        own = each(
            lambda of: _inverse_square_roots(matrix[of[:, :, None], of[:, None, :]], eps, regularization)[:, 0], blocks
        )
        neighbors[chosen[rows], :size] = near
        weights[chosen[rows], :size] = np.concatenate(list(own))
    return neighbors, weights


def _checked_covariance(
    covariance: NDArray[np.floating], eps: float, regularization: float, good: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    matrix = np.asarray(covariance, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"covariance has shape {matrix.shape}, but must be (channel, channel)")
    if not (eps >= 0 and regularization >= 0):
        raise ValueError(f"eps is {eps} and regularization {regularization}, but neither may be negative")
    usable = np.ones(len(matrix), np.bool_) if good is None else np.asarray(good, np.bool_)
    if usable.shape != (len(matrix),):
        raise ValueError(f"good has shape {usable.shape}, but must be a mask over {len(matrix)} channels")
    if not np.isfinite(matrix[np.ix_(usable, usable)]).all():
        raise ValueError("covariance is not finite; mark channels with NaN or infinite samples as bad")
    return matrix, usable & (np.diag(matrix) > 0)


def _inverse_square_roots(blocks: NDArray[np.float64], eps: float, regularization: float) -> NDArray[np.float64]:
    """(S + ε)^(−1/2) of symmetric matrices, shape (block, k, k), without directions of no variance."""
    values, vectors = np.linalg.eigh(blocks)
    present = values > NOTHING * values[:, -1:]
    added = eps + regularization * np.median(values, axis=1, keepdims=True)
    roots = np.where(present, 1 / np.sqrt(np.where(present, values + added, 1.0)), 0.0)
    inverse: NDArray[np.float64] = (vectors * roots[:, None, :]) @ vectors.transpose(0, 2, 1)
    return inverse
