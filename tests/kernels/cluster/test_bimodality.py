"""The gap test has its stated error rate on one Gaussian and finds real gaps."""

import numpy as np
import pytest

from xephys.kernels.cluster.bimodality import _median, bimodality, held_out_projection


def halves(points, rng):
    """Cut one cloud in two across a random direction, as overclustering does."""
    direction = rng.standard_normal(points.shape[1])
    above = points @ direction > 0.3
    return points[above], points[~above]


@pytest.mark.parametrize(("n_spikes", "n_dims"), [(60, 8), (400, 8), (400, 50), (5000, 8)])
def test_one_gaussian_has_no_gap(n_spikes, n_dims):
    rng = np.random.default_rng(n_spikes + n_dims)
    found = 0
    for _ in range(20):
        depth, ratio = bimodality(*halves(rng.standard_normal((n_spikes, n_dims)).astype("float32"), rng))
        found += depth >= 3.5 and ratio <= 0.7
    assert found == 0


@pytest.mark.parametrize(("n_large", "n_small", "distance"), [(200, 200, 4.5), (3000, 60, 8.0), (60, 60, 6.0)])
def test_two_gaussians_have_a_gap(n_large, n_small, distance):
    rng = np.random.default_rng(3)
    for _ in range(10):
        large, small = rng.standard_normal((n_large, 8)), rng.standard_normal((n_small, 8))
        small[:, 3] += distance
        depth, ratio = bimodality(large.astype("float32"), small.astype("float32"))
        assert depth >= 3.5
        assert ratio <= 0.7


def test_held_out_projection_uses_the_other_half_only():
    rng = np.random.default_rng(4)
    first, second = rng.standard_normal((2, 80, 5)).astype("float32")
    along, _ = held_out_projection(first, second)
    changed = first.copy()
    changed[0] += 100.0  # an even spike: it shapes the direction on which odd spikes are judged, not its own
    again, _ = held_out_projection(changed, second)
    np.testing.assert_array_equal(along[2::2], again[2::2])
    assert not np.array_equal(along[1::2], again[1::2])


def test_unseparated_scale_places_group_centers():
    rng = np.random.default_rng(5)
    first = rng.standard_normal((500, 4)).astype("float32")
    along_first, along_second = held_out_projection(first, first + np.float32(4))
    assert abs(along_first.mean()) < 0.1
    assert abs(along_second.mean() - 1) < 0.1


def test_too_few_spikes_have_no_gap():
    one, many = np.zeros((1, 3), np.float32), np.zeros((9, 3), np.float32)
    with pytest.raises(ValueError, match="1 and 9 spikes"):
        held_out_projection(one, many)
    assert bimodality(one, many) == (0.0, 1.0)


def test_identical_spikes_have_no_gap():
    assert bimodality(np.ones((20, 3), np.float32), np.ones((20, 3), np.float32)) == (0.0, 1.0)


@pytest.mark.parametrize("n_values", [4, 5, 100, 101])
def test_the_median_is_that_of_numpy_to_the_bit(n_values):
    values = np.random.default_rng(n_values).standard_normal(n_values)
    assert _median(values) == np.median(values)
