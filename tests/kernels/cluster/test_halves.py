"""A cloud is cut in two where two groups touch, and left whole where there is one."""

import numpy as np
import pytest

from xephys.kernels.cluster.halves import cut_in_two
from xephys.kernels.cluster.split import principal_axes, split_features


def two_units(distance, *, sizes, n_features, seed):
    """Two clouds of unit noise at the given distance, with amplitudes that vary by 5 %, in random order."""
    rng = np.random.default_rng(seed)
    shape, apart = rng.standard_normal((2, n_features))
    shape *= 12 / np.linalg.norm(shape)
    apart *= distance / np.linalg.norm(apart)
    truth = rng.permutation(np.repeat([0, 1], sizes))
    points = (shape + truth[:, None] * apart) * rng.normal(1, 0.05, (len(truth), 1))
    return (points + rng.standard_normal(points.shape)).astype("float32"), truth


def test_two_units_that_touch_are_separated():
    n_by_density, n_halved, right = 0, 0, []
    for seed in range(20):
        points, truth = two_units(3.8, sizes=(240, 170), n_features=60, seed=seed)
        n_by_density += int(split_features(points).max() > 0)
        labels = split_features(points, halve=True)
        n_halved += int(labels.max() == 1)
        right.append(max(np.mean(labels == truth), np.mean(labels != truth)))
    assert n_by_density < 10
    assert n_halved >= 19
    assert np.mean(right) > 0.93


@pytest.mark.parametrize("n_spikes", [40, 100, 400, 2000])
def test_one_unit_is_hardly_ever_cut(n_spikes):
    cut = 0
    for seed in range(50):
        points, _ = two_units(0.0, sizes=(n_spikes, 0), n_features=60, seed=seed)
        cut += int(cut_in_two(principal_axes(points, n_dims_max=8), n_spikes_min=10).max())
    assert cut <= 1


def test_one_unit_with_even_amplitudes_is_not_cut():
    rng = np.random.default_rng(3)
    points = rng.uniform(0.5, 1.0, (1500, 1)) * np.full(40, 4.0) + rng.standard_normal((1500, 40))
    assert cut_in_two(principal_axes(points.astype("float32"), n_dims_max=8), n_spikes_min=20).max() == 0


def test_neither_few_nor_equal_points_are_cut():
    points, _ = two_units(9.0, sizes=(12, 300), n_features=30, seed=0)
    assert cut_in_two(principal_axes(points, n_dims_max=8), n_spikes_min=20).max() == 0
    assert cut_in_two(np.zeros((100, 3), np.float32), n_spikes_min=20).tolist() == [0] * 100
    assert cut_in_two(np.zeros((0, 3), np.float32), n_spikes_min=20).tolist() == []


def test_two_points_without_spread_are_separated():
    points = np.repeat(np.array([[-1.0, 0.0], [2.0, 0.0]], np.float32), [60, 30], axis=0)
    assert cut_in_two(points, n_spikes_min=20).tolist() == [0] * 60 + [1] * 30
