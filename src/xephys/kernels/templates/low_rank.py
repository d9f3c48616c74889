"""The sparse low-rank form of templates: few channels, and few products of a time course and a pattern on these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.constants import ENERGY_FRACTION, ENERGY_MIN

__all__ = ["low_rank_templates", "select_channels", "without_weak_ranks"]


def select_channels(
    templates: NDArray[np.floating],
    *,
    channels: NDArray[np.int32],
    n_channels_max: int,
    energy_min: float = ENERGY_MIN,
    fraction_min: float = ENERGY_FRACTION,
    counts: NDArray[np.integer] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Keep the channels that carry a template; order them by energy.

    A channel stays if its energy exceeds both `fraction_min` of the strongest channel's and `energy_min`. The latter is
    raised by twice the energy of averaged noise, ``n_samples / count``.

    Parameters
    ----------
    templates : array of shape (unit, sample, slot)
        Templates in units of the noise (whitened).
    channels : int32 array of shape (unit, slot)
    n_channels_max : int
        Slots kept per unit.
    energy_min : float
        Squared norm of one channel, in units of the noise variance.
    fraction_min : float
        Fraction of the energy of the unit's strongest channel.
    counts : integer array of shape (unit,), optional
        Number of spikes averaged in each template.

    Returns
    -------
    templates : float64 array of shape (unit, sample, n_channels_max or fewer)
    channels : int32 array of shape (unit, n_channels_max or fewer)
        Strongest first, -1 where empty.

    Examples
    --------
    >>> import numpy as np
    >>> kept, slots = select_channels(np.array([[[1.0, 5.0, 0.1]]]), channels=np.array([[3, 4, 5]], np.int32),
    ...                               n_channels_max=2, energy_min=0.5)
    >>> slots.tolist(), kept.tolist()
    ([[4, 3]], [[[5.0, 1.0]]])
    """
    energy = np.where(channels >= 0, np.einsum("utk,utk->uk", templates, templates), -np.inf)
    noise = 0.0 if counts is None else 2.0 * templates.shape[1] / np.maximum(counts, 1)
    floor = np.maximum(fraction_min * energy.max(axis=1, initial=0.0), energy_min + noise)
    order = np.argsort(-energy, axis=1, kind="stable")[:, :n_channels_max]
    kept = np.take_along_axis(energy, order, axis=1) > floor[:, None]
    slots = np.where(kept, np.take_along_axis(channels, order, axis=1), -1).astype(np.int32)
    chosen = np.take_along_axis(np.asarray(templates, np.float64), order[:, None, :], axis=2)
    return np.where(kept[:, None, :], chosen, 0.0), slots


def low_rank_templates(
    templates: NDArray[np.floating], *, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Best approximation of each template by `rank` products of a time course and a pattern on channels (SVD).

    Parameters
    ----------
    templates : array of shape (unit, sample, slot)
    rank : int
        At least 1; ranks beyond min(sample, slot) add nothing.

    Returns
    -------
    temporal : float32 array of shape (unit, rank, sample)
        Orthonormal time courses. The sign is such that the largest weight of the spatial pattern is positive.
    spatial : float32 array of shape (unit, rank, slot)
        Patterns, with the singular values; ``einsum("urt,urk->utk", temporal, spatial)`` approximates the templates.

    Raises
    ------
    ValueError
        If `rank` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> template = np.outer([0, -3, 1.0], [1, 2.0])[None]
    >>> temporal, spatial = low_rank_templates(template, rank=1)
    >>> bool(np.allclose(np.einsum("urt,urk->utk", temporal, spatial), template, atol=1e-6))
    True
    """
    if rank < 1:
        raise ValueError(f"rank is {rank}; a template needs at least 1.")
    n_units, n_samples, n_slots = templates.shape
    n_kept = min(rank, n_samples, n_slots)
    temporal = np.zeros((n_units, n_kept, n_samples), np.float32)
    spatial = np.zeros((n_units, n_kept, n_slots), np.float32)
    for unit in range(n_units):
        left, values, right = np.linalg.svd(np.asarray(templates[unit], np.float64), full_matrices=False)
        patterns = right[:n_kept] * values[:n_kept, None]
        largest = patterns[np.arange(n_kept), np.abs(patterns).argmax(axis=1)]
        sign = np.where(largest < 0, -1.0, 1.0)[:, None]
        temporal[unit] = sign * left[:, :n_kept].T
        spatial[unit] = sign * patterns
    return temporal, spatial


def without_weak_ranks(
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    *,
    counts: NDArray[np.integer],
    energy_min: float = 1.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Set the patterns of ranks that affect no decision to zero.

    A rank adds its energy to the gain of a spike, which must be tens of noise variances. In a template averaged over
    few spikes, the last ranks are averaged noise, whose largest singular value is near ``sqrt(n_samples) +
    sqrt(n_slots)`` over the square root of the count.

    Parameters
    ----------
    temporal, spatial
        From `low_rank_templates`, in units of the noise (whitened).
    counts : integer array of shape (unit,)
        Number of spikes averaged in each template.
    energy_min : float
        Minimum squared norm of a rank, in units of the noise variance, beyond twice that of averaged noise.

    Returns
    -------
    temporal, spatial
        The first rank is always kept; ranks that no template uses are cut off.

    Examples
    --------
    >>> import numpy as np
    >>> temporal, spatial = np.ones((1, 3, 4), np.float32), np.float32([[[9.0], [3.0], [0.1]]])
    >>> without_weak_ranks(temporal, spatial, counts=np.array([1000]))[1].ravel().tolist()
    [9.0, 3.0]
    """
    n_slots = (np.abs(spatial).max(axis=1, initial=0.0) > 0).sum(axis=1)
    floor = energy_min + 2.0 * (temporal.shape[2] + n_slots) / np.maximum(counts, 1)
    kept = np.einsum("urk,urk->ur", spatial, spatial, dtype=np.float64) > floor[:, None]
    kept[:, :1] = True
    most = int(kept.any(axis=0).sum())
    return temporal[:, :most], np.where(kept[:, :, None], spatial, np.float32(0))[:, :most]
