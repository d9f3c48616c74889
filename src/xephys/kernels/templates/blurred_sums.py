"""Averages of two templates that coincide at varying delays, as sums over delays with separate weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel

__all__ = ["blurred_sum"]

#: Maximum number of rounds of coordinate descent, and the gain, as a share of the energy, below which it ends.
N_ROUNDS_MAX, TOLERANCE = 200, 1e-5


def blurred_sum(
    *,
    energy: float,
    first_scores: NDArray[np.float64],
    second_scores: NDArray[np.float64],
    first_overlaps: NDArray[np.float64],
    second_overlaps: NDArray[np.float64],
    cross: NDArray[np.float64],
) -> tuple[float, float, float]:
    """Energy that two templates leave of an average in which each occurs at several delays.

    Two neurons that often fire within a fraction of a millisecond of each other, in varying order, leave a cluster
    whose mean is their sum with one or both of them blurred. The weights of the delays of each template are
    non-negative and minimize the remaining energy.

    Parameters
    ----------
    energy : float
        Energy of the average.
    first_scores, second_scores : (n_delays,) float64
        Inner products of the average with each template at every allowed delay.
    first_overlaps, second_overlaps : (2 n_delays - 1,) float64
        Overlaps of each template with itself; the middle is lag 0.
    cross : (n_delays of the first, n_delays of the second) float64
        Overlaps of the two templates at these delays.

    Returns
    -------
    rest, first_amplitude, second_amplitude : float
        Remaining energy, and the sums of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> overlaps, apart = np.array([0.0, 0.5, 1.0, 0.5, 0.0]), np.zeros((3, 3))
    >>> rest, *amplitudes = blurred_sum(energy=1.75, first_scores=np.array([0.75, 0.75, 0.25]),
    ...     second_scores=np.array([0.5, 1.0, 0.5]), first_overlaps=overlaps, second_overlaps=overlaps, cross=apart)
    >>> bool(abs(rest) < 1e-3), np.round(amplitudes, 1).tolist()
    (True, [1.0, 1.0])
    """
    n_first, n_second = len(first_scores), len(second_scores)
    gram = np.empty((n_first + n_second,) * 2)
    gram[:n_first, :n_first] = _toeplitz(first_overlaps, n_first)
    gram[n_first:, n_first:] = _toeplitz(second_overlaps, n_second)
    gram[:n_first, n_first:] = cross
    gram[n_first:, :n_first] = cross.T
    weights, explained = _descend(gram, np.concatenate([first_scores, second_scores]), TOLERANCE * energy)
    return energy - explained, float(weights[:n_first].sum()), float(weights[n_first:].sum())


def _toeplitz(overlaps: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    middle, steps = len(overlaps) // 2, np.arange(n)
    return np.asarray(overlaps[middle + steps[None, :] - steps[:, None]])


@kernel
def _descend(
    gram: NDArray[np.float64], scores: NDArray[np.float64], least_gain: float
) -> tuple[NDArray[np.float64], float]:
    """Non-negative weights that explain the most energy, found by coordinate descent, and that energy."""
    n = scores.size
    weights, left = zeros(n), scores.copy()
    explained = 0.0
    for _ in range(N_ROUNDS_MAX):
        gained = 0.0
        for i in range(n):
            if gram[i, i] <= 0:
                continue
            step = max(left[i] / gram[i, i], -weights[i])
            if step == 0.0:
                continue
            gained += step * (2 * left[i] - step * gram[i, i])
            weights[i] += step
            left -= step * gram[i]
        explained += gained
        if gained <= least_gain:
            break
    return weights, explained
