"""Neighborhoods are distinct sets of channels, and whitening makes their noise independent."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.mixtures import N_COMPONENTS, NEIGHBORS, draw, noise_covariance, rows_of, units
from xephys.kernels.cluster.mixture import neighborhoods as nb


def test_equal_rows_are_one_neighborhood() -> None:
    found, of_row = nb.find_neighborhoods(NEIGHBORS, 1.0, n_components=N_COMPONENTS)
    assert len(found.channels) == 4 and of_row[0] == of_row[1]
    np.testing.assert_array_equal(found.channels[of_row], NEIGHBORS)


def test_white_features_have_unit_covariance_whatever_is_missing() -> None:
    covariance = noise_covariance()
    features, channels, _ = draw(0 * units(n_units=1), covariance, 8000)
    rows, sets, _ = rows_of(features, channels, covariance)
    for s in range(len(sets.channels)):
        own = rows.whitened[rows.neighborhood == s][:, sets.entries[s] >= 0]
        np.testing.assert_allclose(np.cov(own.T), np.eye(own.shape[1]), atol=0.12)
    assert not rows.whitened[:, -1][rows.neighborhood == len(sets.channels) - 1].any()


def test_one_variance_is_the_covariance_with_that_diagonal() -> None:
    size = 5 * N_COMPONENTS
    matrix = 2.25 * np.eye(size).reshape(5, N_COMPONENTS, 5, N_COMPONENTS)
    one, _ = nb.find_neighborhoods(NEIGHBORS, 2.25, n_components=N_COMPONENTS)
    full, _ = nb.find_neighborhoods(NEIGHBORS, matrix, n_components=N_COMPONENTS)
    np.testing.assert_allclose(one.whiten, full.whiten)
    np.testing.assert_array_equal(one.variance, full.variance)


def test_a_covariance_that_is_not_positive_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        nb.find_neighborhoods(NEIGHBORS, -noise_covariance(), n_components=N_COMPONENTS)


def test_cells_cover_all_rows_once_and_hold_one_neighborhood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nb, "CELL_ROWS", 3)
    where = np.repeat(np.array([0, 1, 4], np.int32), [7, 3, 1])
    cells = nb.cells_of(where)
    assert (cells[:, 2] - cells[:, 1]).max() == 3 and len(cells) == 5
    np.testing.assert_array_equal(cells[1:, 1], cells[:-1, 2])
    assert cells[0, 1] == 0 and cells[-1, 2] == len(where)
    np.testing.assert_array_equal(cells[:, 0], where[cells[:, 1]])
