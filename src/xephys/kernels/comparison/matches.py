"""Agreement between units of two sortings, and the best assignment of one to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def agreement_of_counts(
    coincident: NDArray[np.int64], num_first: NDArray[np.int64], num_second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Agreement of each pair of units: coincident spikes over the union of both trains; 0 for two empty trains.

    Parameters
    ----------
    coincident : (first unit, second unit) int64
    num_first, num_second : (unit,) int64

    Examples
    --------
    >>> agreement_of_counts(np.array([[5, 0]]), np.array([10]), np.array([5, 0])).tolist()
    [[0.5, 0.0]]
    """
    union = num_first[:, None] + num_second[None, :] - coincident
    return np.asarray(coincident / np.where(union == 0, 1, union), np.float64)


def best_matches(agreement: NDArray[np.float64], score_min: float) -> NDArray[np.int64]:
    """For each row, the column that agrees best (the first of equals); -1 if the agreement is below the minimum.

    Examples
    --------
    >>> best_matches(np.array([[0.1, 0.8], [0.05, 0.0]]), 0.1).tolist()
    [1, -1]
    """
    if not agreement.shape[1]:
        return np.full(len(agreement), -1, np.int64)
    best = agreement.argmax(axis=1)
    return np.where(np.take_along_axis(agreement, best[:, None], axis=1)[:, 0] >= score_min, best, -1)


def one_to_one(agreement: NDArray[np.float64], score_min: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Assign rows and columns to each other so that the sum of the agreements is largest (Hungarian algorithm).

    Parameters
    ----------
    agreement : (first unit, second unit) float64
    score_min : float
        Pairs below this score add nothing to the sum and are not assigned.

    Returns
    -------
    of_rows, of_columns : int64
        The partner of each row and of each column; -1 for none.

    Examples
    --------
    >>> one_to_one(np.array([[0.9, 0.8], [0.8, 0.2]]), 0.5)
    (array([1, 0]), array([1, 0]))
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-np.where(agreement < score_min, 0.0, agreement))
    kept = agreement[rows, columns] >= score_min
    of_rows, of_columns = (np.full(n, -1, np.int64) for n in agreement.shape)
    of_rows[rows[kept]], of_columns[columns[kept]] = columns[kept], rows[kept]
    return of_rows, of_columns


def order_by_agreement(agreement: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order rows and columns so that the largest agreements fall along the diagonal.

    Rows are sorted by their best agreement. In this order, each row takes the remaining column that agrees best with
    it; columns that no row took follow.

    Examples
    --------
    >>> order_by_agreement(np.array([[0.1, 0.2], [0.0, 0.9]]))
    (array([1, 0]), array([1, 0]))
    """
    if not agreement.size:
        return np.arange(agreement.shape[0])[::-1], np.arange(agreement.shape[1])
    rows = agreement.max(axis=1).argsort(kind="stable")[::-1]
    left = agreement[rows].copy()
    columns = np.empty(min(agreement.shape), np.int64)
    for k in range(len(columns)):
        columns[k] = left[k].argmax()
        left[:, columns[k]] = -np.inf
    return rows, np.concatenate([columns, np.setdiff1d(np.arange(agreement.shape[1]), columns)])
