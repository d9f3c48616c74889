"""Find units whose spikes are among those of others in a space of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def count_neighbors(
    features: NDArray[np.float64], units: NDArray[np.int64], *, n_units: int, n_neighbors: int
) -> NDArray[np.int64]:
    """How often a spike of one unit has a spike of another one among its nearest neighbors.

    Parameters
    ----------
    features : (spike, feature) float64
        Each feature is divided by its standard deviation over all spikes. Spikes with NaN have no neighbors.
    units : (spike,) int64
    n_units : int
    n_neighbors : int
        Number of nearest spikes that are examined, including the spike itself.

    Returns
    -------
    (unit, unit) int64
        Neighbors in the second unit of spikes of the first.

    Examples
    --------
    >>> count_neighbors(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0, 1, 2, 2]), n_units=3, n_neighbors=2)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 4]])
    """
    known = np.isfinite(features).all(axis=1)
    values, of_spike = features[known], units[known]
    counts = np.zeros((n_units, n_units), np.int64)
    n_nearest = min(n_neighbors, len(values))
    if not n_nearest:
        return counts
    spread = values.std(axis=0)
    tree = cKDTree(values / np.where(spread == 0, 1, spread))
    nearest = tree.query(tree.data, k=np.arange(1, n_nearest + 1))[1]
    np.add.at(counts, (np.repeat(of_spike, n_nearest), of_spike[nearest].ravel()), 1)
    return counts
