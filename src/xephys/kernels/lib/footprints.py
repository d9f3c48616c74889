"""How the size of a spike decays with distance from its source, for every method that models this."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def exponential_footprints(
    distances: NDArray[np.float64], *, depths_um: NDArray[np.float64], decay_um: float
) -> NDArray[np.float64]:
    """Weights of sources on the channels, decaying exponentially with distance in space.

    Parameters
    ----------
    distances : float64 (channel, source)
        Distances in the plane of the contacts, µm.
    depths_um : float64 (depth,)
        Distances of the sources from that plane.
    decay_um : float
        Decay of the weights.

    Returns
    -------
    float64 (source, depth, channel)
        Of unit norm; weights below ``0.5 / sqrt(channels)`` are zero.
    """
    spatial = np.sqrt(distances.T[:, np.newaxis] ** 2 + depths_um[:, np.newaxis] ** 2)
    # The nearest channel sets the scale, so that deep sources do not underflow.
    weights: NDArray[np.float64] = np.exp(-(spatial - spatial.min(axis=2, keepdims=True)) / decay_um)
    weights /= np.linalg.norm(weights, axis=2, keepdims=True)
    weights[weights < 0.5 / np.sqrt(distances.shape[0])] = 0
    weights /= np.linalg.norm(weights, axis=2, keepdims=True)
    return weights
