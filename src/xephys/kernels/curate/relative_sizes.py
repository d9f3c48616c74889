"""Put the amplitudes of merged templates on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def relative_sizes(
    norms: NDArray[np.float64], target: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Size of each template relative to its unit: to the mean over the spikes of all templates merged into it.

    Parameters
    ----------
    norms : (n_templates,) float64
    target : (n_templates,) int
        Template that represents the unit of each; negative for none.
    counts : (n_templates,) int
        Number of spikes of each.

    Returns
    -------
    sizes : (n_templates,) float64
        1 if nothing was merged.

    Examples
    --------
    >>> relative_sizes(np.array([10.0, 20.0, 7.0]), np.array([0, 0, 2]), np.array([300, 100, 50])).tolist()
    [0.8, 1.6, 1.0]
    """
    sizes = np.ones(len(norms))
    for unit in np.flatnonzero(np.bincount(target[target >= 0], minlength=len(norms)) > 1):
        members = np.flatnonzero(target == unit)
        weights = np.maximum(counts[members], 1)
        sizes[members] = norms[members] * weights.sum() / (norms[members] @ weights)
    return sizes
