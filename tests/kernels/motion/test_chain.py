"""The banded solution equals dense least squares."""

import numpy as np
import pytest

from xephys.kernels.motion.chain import solve_pairs

LAGS = np.array([1, 2, 5])


def dense(lag, weight, time_smoothness, depth_smoothness, fixed):
    """Every penalty as a row of one dense least-squares problem."""
    n_times, n_lags, n_windows = lag.shape
    rows, values = [], []

    def row(entries, value, w):
        line = np.zeros((n_times, n_windows))
        for place, sign in entries:
            line[place] += sign
        rows.append(np.sqrt(w) * line.ravel())
        values.append(np.sqrt(w) * value)

    for t in range(n_times):
        for b in range(n_windows):
            for k in range(n_lags):
                if t >= LAGS[k]:
                    row([((t, b), 1), ((t - LAGS[k], b), -1)], lag[t, k, b], weight[t, k, b])
            if t:
                row([((t, b), 1), ((t - 1, b), -1)], 0.0, time_smoothness)
            if b + 1 < n_windows:
                row([((t, b), 1), ((t, b + 1), -1)], 0.0, depth_smoothness)
            if t < len(fixed):
                row([((t, b), 1)], fixed[t, b], 1e9)
            row([((t, b), 1)], 0.0, 1e-8)
    return np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0].reshape(n_times, n_windows)


@pytest.mark.parametrize("n_fixed", [0, 6])
def test_solution_equals_dense_least_squares(n_fixed):
    rng = np.random.default_rng(n_fixed)
    lag, weight = rng.normal(0, 5, (20, 3, 2)), rng.uniform(0, 1, (20, 3, 2))
    weight[rng.uniform(size=weight.shape) < 0.3] = 0
    fixed = rng.normal(0, 5, (n_fixed, 2))
    found = solve_pairs(lag, weight, LAGS, time_smoothness=0.3, depth_smoothness=0.7, fixed=fixed)
    np.testing.assert_allclose(found, dense(lag, weight, 0.3, 0.7, fixed), atol=1e-4)


def test_consistent_pairs_give_the_course():
    course = np.cumsum(np.random.default_rng(2).normal(0, 1, (200, 3)), axis=0)
    lag, weight = np.zeros((200, 3, 3)), np.zeros((200, 3, 3))
    for k, step in enumerate(LAGS):
        lag[step:, k] = course[step:] - course[:-step]
        weight[step:, k] = 1
    found = solve_pairs(lag, weight, LAGS, time_smoothness=0.0, depth_smoothness=0.0)
    np.testing.assert_allclose(found - found.mean(0), course - course.mean(0), atol=1e-2)


def test_fixed_bins_are_kept_and_the_others_follow():
    course = np.cumsum(np.random.default_rng(3).normal(0, 1, (60, 1)), axis=0) + 40
    lag, weight = np.zeros((60, 3, 1)), np.zeros((60, 3, 1))
    for k, step in enumerate(LAGS):
        lag[step:, k] = course[step:] - course[:-step]
        weight[step:, k] = 1
    found = solve_pairs(lag, weight, LAGS, time_smoothness=0.0, depth_smoothness=0.0, fixed=course[:5])
    assert found[:5].tolist() == course[:5].tolist()
    np.testing.assert_allclose(found, course, atol=1e-2)
