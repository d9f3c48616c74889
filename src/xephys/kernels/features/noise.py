"""Projections of noise on temporal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.constants import MAD_OF_NORMAL


def feature_noise(
    excerpts: Sequence[NDArray[np.floating[Any]]], basis: NDArray[np.float64], *, good: NDArray[np.bool_]
) -> float:
    """Standard deviation of the projections of noise, from their median absolute value.

    Adjoining windows cover each excerpt regardless of spikes; the median is insensitive to the few windows that hold
    one.

    Parameters
    ----------
    excerpts : sequence of (n_samples, n_channels) float
    basis : (n_components, n_window) float64
        Orthonormal components.
    good : (n_channels,) bool
        Channels that are used.

    Returns
    -------
    float
        In the unit of the traces; 0 if no excerpt is as long as a component.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 3.0, (30_000, 2))
    >>> round(feature_noise([noise], np.eye(2, 20), good=np.ones(2, bool)), 1)
    2.9
    """
    length, n_good, values = basis.shape[1], int(good.sum()), []
    for excerpt in excerpts:
        n_windows = len(excerpt) // length
        windows = excerpt[: n_windows * length, good].reshape(n_windows, length, n_good)
        values.append(np.abs(np.einsum("kt,wtc->wkc", basis, windows, optimize=True)).ravel())
    magnitudes = np.concatenate(values) if values else np.zeros(0)
    return float(np.median(magnitudes)) / MAD_OF_NORMAL if magnitudes.size else 0.0
