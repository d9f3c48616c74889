"""Nearest landmarks equal a sort of all distances; modes of simple densities."""

import numpy as np
import pytest

from xephys.kernels.cluster.density import climb, nearest_landmarks, nearest_points


def test_nearest_landmarks_equal_full_sort():
    rng = np.random.default_rng(1)
    points, landmarks = rng.standard_normal((60, 7)).astype("float32"), rng.standard_normal((41, 7)).astype("float32")
    indices, squares = nearest_landmarks(points, landmarks, n_neighbors=5)
    distance = ((points[:, None].astype("f8") - landmarks[None]) ** 2).sum(axis=2)
    order = np.argsort(distance, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(squares, np.take_along_axis(distance, order, axis=1), rtol=1e-5)


def test_equal_distances_in_order_of_index():
    landmarks = np.zeros((6, 2), np.float32)
    indices, _ = nearest_landmarks(np.ones((1, 2), np.float32), landmarks, n_neighbors=4)
    assert indices.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("n_neighbors", [0, 4])
def test_an_impossible_number_of_neighbors_is_refused(n_neighbors):
    with pytest.raises(ValueError, match="from 1 to 3"):
        nearest_landmarks(np.zeros((2, 1), np.float32), np.zeros((3, 1), np.float32), n_neighbors=n_neighbors)


def density_modes(points, *, n_neighbors):
    """Labels by density, which is the inverse of the mean distance to the nearest neighbors."""
    indices, squares = nearest_points(points, points, True, min(n_neighbors, len(points) - 1))
    return climb(indices, -np.sqrt(squares.astype(np.float64)).mean(axis=1))


def test_two_clouds_have_a_mode_each():
    points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]], np.float32)
    assert density_modes(points, n_neighbors=2).tolist() == [0, 0, 0, 1, 1, 1]


def test_modes_never_join_distant_clouds():
    rng = np.random.default_rng(2)
    points = rng.standard_normal((300, 3)).astype("float32")
    points[150:] += 50
    labels = density_modes(points, n_neighbors=10)
    assert not set(labels[:150]) & set(labels[150:])
    assert set(labels) == set(range(labels.max() + 1))


def test_two_points_have_their_modes():
    assert density_modes(np.zeros((2, 3), np.float32), n_neighbors=5).tolist() == [0, 0]


def test_identical_points_form_few_modes_and_no_cycle():
    labels = density_modes(np.ones((50, 3), np.float32), n_neighbors=5)
    assert labels.shape == (50,)
    assert labels.min() == 0
