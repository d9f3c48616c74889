import numpy as np
import pytest

from xephys.kernels.preprocess.spatial.along import derivative_matrix, mean_weights


@pytest.mark.parametrize(("order", "edge_order"), [(1, 1), (2, 1), (1, 2)])
def test_derivatives_equal_numpys_column_by_column(order, edge_order):
    rng = np.random.default_rng(0)
    columns = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0])
    places = rng.permutation(np.cumsum(rng.uniform(5, 30, 9)))
    traces = rng.standard_normal((20, 9))
    got = traces @ derivative_matrix(places, columns, order=order, edge_order=edge_order)
    for column in (0, 1):
        own = np.flatnonzero(columns == column)
        own = own[np.argsort(places[own])]
        expected = traces[:, own]
        for _ in range(order):
            expected = np.gradient(expected, places[own], axis=1, edge_order=edge_order)
        np.testing.assert_allclose(got[:, own], expected, atol=1e-12)


@pytest.mark.parametrize("places", [[0.0], [0.0, 0.0, 10.0]])
def test_columns_without_a_derivative(places):
    with pytest.raises(ValueError, match="needs at least 2 places and one channel at each"):
        derivative_matrix(np.array(places), np.zeros(len(places), int), order=1, edge_order=1)


def test_means():
    groups = np.array([2, 0, 2, 1, 2])
    neighbors, weights, first = mean_weights(groups)
    values = np.array([1.0, 10, 2, 100, 6])
    rows = zip(neighbors, weights, strict=True)
    means = [sum(w * values[j] for j, w in zip(js, ws, strict=True) if j >= 0) for js, ws in rows]
    np.testing.assert_allclose(means, [3, 10, 3, 100, 3])
    assert first.tolist() == [1, 3, 0]
