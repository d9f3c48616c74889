"""The smoothed walk equals the dense normal equations."""

from fractions import Fraction

import numpy as np
import pytest

from xephys.kernels.motion.smoother import smooth_walk

N_TIMES, N_KNOTS = 12, 3


@pytest.fixture
def problem():
    rng = np.random.default_rng(4)
    root = rng.normal(0, 1, (N_KNOTS, N_KNOTS))
    information = np.zeros((N_TIMES, N_KNOTS, 2))
    information[..., 0] = rng.uniform(1, 3, (N_TIMES, N_KNOTS))
    information[:, :-1, 1] = rng.uniform(0, 0.4, (N_TIMES, N_KNOTS - 1))
    information[5:8] = 0
    return (
        rng.normal(0, 2, (N_TIMES, N_KNOTS)),
        information,
        rng.normal(0, 5, (N_TIMES, N_KNOTS)),
        root @ root.T + np.eye(N_KNOTS),
        rng.uniform(0.5, 2, N_TIMES),
    )


def dense(slope, information, displacement, precision, weight):
    n = N_TIMES * N_KNOTS
    total, right = 1e-8 * np.eye(n), np.zeros(n)
    for t in range(N_TIMES):
        own = slice(t * N_KNOTS, (t + 1) * N_KNOTS)
        beside = information[t, :-1, 1]
        block = np.diag(information[t, :, 0]) + np.diag(beside, 1) + np.diag(beside, -1)
        total[own, own] += block
        right[own] += block @ displacement[t] + slope[t]
        if t:
            difference = np.zeros((N_KNOTS, n))
            difference[:, own] = np.eye(N_KNOTS)
            difference[:, (t - 1) * N_KNOTS : t * N_KNOTS] = -np.eye(N_KNOTS)
            total += weight[t] * difference.T @ precision @ difference
    return np.linalg.solve(total, right), np.linalg.inv(total)


def test_solution_equals_the_dense_one(problem):
    course, variance, size, moment = smooth_walk(*problem)
    wanted, covariance = dense(*problem)
    np.testing.assert_allclose(course.ravel(), wanted, atol=1e-6)
    np.testing.assert_allclose(variance.ravel(), np.diag(covariance), atol=1e-6)
    precision, weight = problem[3], problem[4]
    total = np.zeros((N_KNOTS, N_KNOTS))
    for t in range(1, N_TIMES):
        now, last = (np.arange(s * N_KNOTS, (s + 1) * N_KNOTS) for s in (t, t - 1))
        step = wanted[now] - wanted[last]
        shared = covariance[np.ix_(now, last)]
        expected = np.outer(step, step) + covariance[np.ix_(now, now)] + covariance[np.ix_(last, last)]
        expected -= shared + shared.T
        assert size[t] == pytest.approx((expected * precision).sum(), abs=1e-6)
        total += weight[t] * expected
    np.testing.assert_allclose(moment, total, atol=1e-5)
    assert size[0] == 0


def test_the_uncertainty_is_larger_without_observations(problem):
    _, variance, _, _ = smooth_walk(*problem)
    assert (variance[6] > variance[4]).all()
    assert (variance[6] > variance[9]).all()


def exactly(values):
    """An array of whole fractions, so that nothing is rounded from here on."""
    return np.vectorize(Fraction, otypes=[object])(values)


def inverse_of(matrix):
    """By elimination, in whole fractions."""
    n = len(matrix)
    rows = np.concatenate([matrix, exactly(np.eye(n))], axis=1)
    for k in range(n):
        rows[k] /= rows[k, k]
        for a in range(n):
            if a != k:
                rows[a] -= rows[a, k] * rows[k]
    return rows[:, n:]


def test_knots_that_no_bin_holds_are_solved_to_rounding():
    """The second and third knot are held by the ridge alone, and steps are 14 orders of magnitude more precise."""
    rng = np.random.default_rng(2)
    n_times, slope = 5, np.zeros((5, N_KNOTS))
    information = np.zeros((n_times, N_KNOTS, 2))
    information[:3, 0, 0], slope[:3, 0] = (3e4, 20.0, 5e2), rng.normal(0, 9, 3)
    alike = np.exp(-0.5 * (np.subtract.outer(np.arange(N_KNOTS), np.arange(N_KNOTS)) / 2) ** 2)
    precision = np.linalg.inv(1e-5 * alike)
    precision = 0.5 * (precision + precision.T)
    course, variance, size, moment = smooth_walk(slope, information, slope * 0, precision, np.ones(n_times))

    total = exactly(1e-8 * np.eye(n_times * N_KNOTS)) + exactly(np.diag(information[..., 0].ravel()))
    for t in range(1, n_times):
        now, last = (slice(s * N_KNOTS, (s + 1) * N_KNOTS) for s in (t, t - 1))
        for a, b, sign in ((now, now, 1), (last, last, 1), (now, last, -1), (last, now, -1)):
            total[a, b] += sign * exactly(precision)
    covariance = inverse_of(total)
    np.testing.assert_allclose(variance.ravel(), np.diag(covariance).astype(float), rtol=1e-6)
    wanted = (covariance @ exactly(slope.ravel())).astype(float)
    np.testing.assert_allclose(course.ravel(), wanted, rtol=1e-6, atol=1e-6)
    assert (size >= 0).all()
    assert (np.linalg.eigvalsh(moment) > 0).all()
