"""The point-source fit agrees with SciPy's optimizer on the same objective; the plan of radii."""

import numpy as np
import pytest
from scipy.optimize import minimize

from xephys.kernels.localize.point_source import MIN_Z_UM, enforce_decrease, fit_sources, radial_decrease_steps

POSITIONS = np.stack([(np.arange(16) % 2) * 32.0, (np.arange(16) // 2) * 20.0], axis=1)
MAX_DISTANCE_UM = 150.0


def loss(place, contacts, sizes):
    """The objective as documented: alpha in closed form, mean square, depth term."""
    q = 1 / np.sqrt(((contacts - place[:2]) ** 2).sum(axis=1) + place[2] ** 2)
    w = sizes / sizes.max()
    alpha = (q * w).sum() / (q * q).sum()
    return np.mean((w - alpha * q) ** 2) - 1e-4 * np.log1p(10 * place[2])


def bounds_round(center):
    return [*((c - MAX_DISTANCE_UM, c + MAX_DISTANCE_UM) for c in center), (MIN_Z_UM, 10 * MAX_DISTANCE_UM)]


def reference_fit(contacts, sizes, start):
    center = np.average(contacts, axis=0, weights=sizes)
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000}
    found = minimize(
        loss, start, args=(contacts, sizes), bounds=bounds_round(center), method="L-BFGS-B", options=options
    )
    return found.x, found.fun


@pytest.fixture(scope="module")
def problems():
    """Sizes from point sources with 10 % noise; every fifth problem is noise alone."""
    rng = np.random.default_rng(0)
    n = 60
    channels = rng.integers(0, 16, n)
    neighbors = np.full((16, 12), -1, dtype=np.int32)
    for c in range(16):
        near = np.flatnonzero(np.linalg.norm(POSITIONS - POSITIONS[c], axis=1) <= 55)
        neighbors[c, 1 : 1 + near.size] = near
    places = np.column_stack([POSITIONS[channels] + rng.uniform(-15, 15, (n, 2)), rng.uniform(5, 60, n)])
    sizes = np.zeros((n, 12))
    for i, c in enumerate(channels):
        used = neighbors[c] >= 0
        contacts = POSITIONS[neighbors[c, used]]
        sizes[i, used] = 1000 / np.sqrt(((contacts - places[i, :2]) ** 2).sum(axis=1) + places[i, 2] ** 2)
        sizes[i, used] *= rng.uniform(0.9, 1.1, used.sum())
        if i % 5 == 0:
            sizes[i, used] = rng.uniform(5, 10, used.sum())
    return sizes, channels.astype(np.int64), neighbors


def centers_of(sizes, channels, neighbors):
    centers = np.empty((channels.size, 2))
    for i, c in enumerate(channels):
        used = neighbors[c] >= 0
        centers[i] = np.average(POSITIONS[neighbors[c, used]], axis=0, weights=sizes[i, used])
    return centers


def test_fit_agrees_with_scipy(problems):
    sizes, channels, neighbors = problems
    centers = centers_of(sizes, channels, neighbors)
    sources = fit_sources(sizes, channels, neighbors, POSITIONS, centers, MAX_DISTANCE_UM)
    same_place = 0
    for i, c in enumerate(channels):
        used = neighbors[c] >= 0
        contacts, w = POSITIONS[neighbors[c, used]], sizes[i, used]
        ours = loss(sources[i, :3], contacts, w)
        # The result is a minimum: SciPy does not find a lower value from there.
        _, polished = reference_fit(contacts, w, sources[i, :3])
        assert ours - polished < 1e-9
        place, theirs = reference_fit(contacts, w, [*centers[i], 20.0])
        # If the two end in different minima, as they may on noise, ours must not be the worse.
        assert ours - theirs < 1e-7
        same_place += np.abs(place - sources[i, :3]).max() < 0.1
        q = 1 / np.sqrt(((contacts - sources[i, :2]) ** 2).sum(axis=1) + sources[i, 2] ** 2)
        assert sources[i, 3] == pytest.approx((q * w).sum() / (q * q).sum(), rel=1e-9)
        for value, (low, high) in zip(sources[i, :3], bounds_round(centers[i]), strict=True):
            assert low <= value <= high
    assert same_place > 0.8 * channels.size


def test_degenerate_neighborhoods_stay_finite_and_bounded():
    """One contact, two contacts, a straight line of them, and equal sizes everywhere."""
    line = np.column_stack([np.zeros(5), np.arange(5) * 20.0])
    neighbors = np.array([[0, -1, -1, -1, -1], [0, 1, -1, -1, -1], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]], dtype=np.int32)
    neighbors = np.vstack([neighbors, neighbors[-1:]])
    sizes = np.array(
        [[5, 0, 0, 0, 0], [5, 3, 0, 0, 0], [1, 4, 9, 4, 1], [2, 2, 2, 2, 2], [0, 0, 1e-30, 0, 0]], dtype=float
    )
    channels = np.arange(5)
    centers = np.array([[0, 0], [0, 7.5], [0, 40], [0, 40], [0, 40]], dtype=float)
    sources = fit_sources(sizes, channels, neighbors, line, centers, MAX_DISTANCE_UM)
    assert np.isfinite(sources).all()
    assert (np.abs(sources[:, :2] - centers) <= MAX_DISTANCE_UM).all()
    assert ((sources[:, 2] >= MIN_Z_UM) & (sources[:, 2] <= 10 * MAX_DISTANCE_UM)).all()
    # A straight probe cannot distinguish left from right, so the start in its middle is kept.
    assert np.abs(sources[2, 0]) < 1e-6


def test_features_without_a_positive_value_give_the_channel():
    sizes = np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
    neighbors = np.array([[0, 1]] * 16, dtype=np.int32)
    sources = fit_sources(sizes, np.array([3, 4, 5]), neighbors, POSITIONS, np.zeros((3, 2)), MAX_DISTANCE_UM)
    assert np.array_equal(sources, np.column_stack([POSITIONS[3:6], np.full(3, MIN_Z_UM), np.zeros(3)]))


def test_enforce_decrease_makes_sizes_fall_with_distance():
    rng = np.random.default_rng(1)
    neighbors = np.tile(np.arange(16, dtype=np.int32), (16, 1))
    steps = radial_decrease_steps(POSITIONS, neighbors, n_parents=3)
    channels = rng.integers(0, 16, 20)
    sizes = rng.uniform(1, 10, (20, 16))
    limited = sizes.copy()
    enforce_decrease(limited, channels, steps)
    assert not np.array_equal(limited, sizes)
    for before, after, channel in zip(sizes, limited, channels, strict=True):
        radii = np.linalg.norm(POSITIONS - POSITIONS[channel], axis=1)
        expected = before.copy()
        for c in np.argsort(radii, kind="stable"):
            nearer = [o for o in range(16) if radii[o] < radii[c]]
            nearer.sort(key=lambda o, c=c: (np.linalg.norm(POSITIONS[o] - POSITIONS[c]), o))
            if nearer:
                expected[c] = min(expected[c], max(expected[o] for o in nearer[:3]))
        assert np.array_equal(after, expected)
        assert after.max() == after[channel] == before[channel]
