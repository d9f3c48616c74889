"""How much a unit's waveforms mix with those of single other units, and with noise (Chung et al.

2017, Neuron 95:1381).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.metrics.neighbors import nearest_rows

#: Maximum number of snippets of either kind, neighbors of each, components kept, and minimum number of spikes of a
#: unit.
N_SNIPPETS_MAX, N_NEIGHBORS, N_COMPONENTS, N_SPIKES_MIN = 1000, 4, 10, 10
#: Minimum share of a unit's channels that another unit must have to be compared with it.
SHARE_MIN = 0.5


def own_neighbors(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Share of the nearest neighbors, in the leading components of both kinds, that are of the same kind.

    Parameters
    ----------
    first, second : (n, feature), (n, feature)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own_neighbors(rng.normal(size=(50, 20)), rng.normal(size=(50, 20)) + 9)
    1.0
    """
    both = np.concatenate([first, second])
    centered = both - both.mean(axis=0)
    left, values, _ = np.linalg.svd(centered, full_matrices=False)
    scores = (left * values)[:, :N_COMPONENTS].astype(np.float32)
    n_neighbors = min(N_NEIGHBORS, len(both) - 1)
    is_first = np.arange(len(both)) < len(first)
    near = is_first[nearest_rows(scores, n_neighbors=n_neighbors)]
    return float((near == is_first[:, None]).mean())


def nn_isolation(
    waveforms: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    unit: int,
    *,
    num_spikes: NDArray[np.int64],
    seed: int,
) -> float:
    """Minimum of :func:`own_neighbors` over the units that share half of a unit's channels; 1 without such a unit.

    Parameters
    ----------
    waveforms : (waveform, sample, slot) float32
    owners : (waveform,) int64
    channels : (unit, slot) int32
    unit : int
    num_spikes : (unit,) int64
        Units with fewer than 10 spikes are left out; NaN if the unit itself has fewer.
    seed : int
        Seed for choosing the snippets.
    """
    if num_spikes[unit] < N_SPIKES_MIN:
        return float("nan")
    own = channels[unit][channels[unit] >= 0]
    shared = np.isin(channels, own).sum(axis=1) >= SHARE_MIN * len(own)
    others = np.flatnonzero(shared & (num_spikes >= N_SPIKES_MIN) & (np.arange(len(channels)) != unit))
    rng = np.random.default_rng(seed)
    found = 1.0
    for other in others.tolist():
        common = np.intersect1d(own, channels[other])
        n = min(int((owners == unit).sum()), int((owners == other).sum()), N_SNIPPETS_MAX)
        if n < 2:
            continue
        pair = [
            _snippets(waveforms, owners, channels, one, common)[rng.permutation(int((owners == one).sum()))[:n]]
            for one in (unit, other)
        ]
        found = min(found, own_neighbors(*pair))
    return found


def nn_noise_overlap(
    waveforms: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    noise: NDArray[np.float32],
    unit: int,
    *,
    seed: int,
) -> float:
    """1 minus :func:`own_neighbors` of a unit's waveforms and of noise, both without their common part with noise.

    Parameters
    ----------
    waveforms, owners, channels, unit, seed
        As for :func:`nn_isolation`.
    noise : (stretch, sample, channel) float32

    Returns
    -------
    float
        NaN for a unit with fewer than 10 waveforms.
    """
    own = channels[unit][channels[unit] >= 0]
    rng = np.random.default_rng(seed)
    snippets = _snippets(waveforms, owners, channels, unit, own)
    n = min(len(snippets), len(noise), N_SNIPPETS_MAX)
    if n < N_SPIKES_MIN:
        return float("nan")
    snippets = snippets[rng.permutation(len(snippets))[:n]]
    stretches = noise[rng.permutation(len(noise))[:n]][:, :, own].reshape(n, -1).astype(np.float64)
    median = np.median(snippets, axis=0)
    weights = stretches[:, np.abs(median).argmax()]
    common = weights @ stretches / weights.sum()
    direction = common / np.linalg.norm(common)
    return 1.0 - own_neighbors(
        snippets - np.outer(snippets @ direction, direction), stretches - np.outer(stretches @ direction, direction)
    )


def _snippets(
    waveforms: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    unit: int,
    wanted: NDArray[np.integer],
) -> NDArray[np.float64]:
    slots = np.flatnonzero(np.isin(channels[unit], wanted) & (channels[unit] >= 0))
    taken = waveforms[owners == unit][:, :, slots]
    return np.asarray(taken.reshape(len(taken), taken.shape[1] * taken.shape[2]), np.float64)


def neighborhoods(
    waveforms: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    noise: NDArray[np.float32],
    unit: int,
    *,
    num_spikes: NDArray[np.int64],
    seed: int,
) -> tuple[float, float]:
    """:func:`nn_isolation` and :func:`nn_noise_overlap` of one unit; parameters as there."""
    return (
        nn_isolation(waveforms, owners, channels, unit, num_spikes=num_spikes, seed=seed),
        nn_noise_overlap(waveforms, owners, channels, noise, unit, seed=seed),
    )
