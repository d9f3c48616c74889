"""Spikes of far neurons are told from those of the unit among them; one group is left whole."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from xephys.kernels.cluster.overlapping import _fit, cut_overlapping, find_border
from xephys.kernels.cluster.split import principal_axes, split_features


def unit_among_far_neurons(*, sizes, n_features, distance, seed):
    """A unit of unit noise, and spikes of far neurons that are spread widely in two directions, in random order."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((n_features, 4)))[0].T
    truth = rng.permutation(np.repeat([0, 1], sizes))
    spread = 8 * directions[3] + rng.normal(0, 3.0, (len(truth), 2)) @ directions[:2]
    points = np.where(truth[:, None] == 1, 8 * directions[3] + distance * directions[2], spread)
    return (points + rng.standard_normal(points.shape)).astype("float32"), truth


def others_of(points, amplitude):
    """Mask of the spikes beyond the border, None without one."""
    projection = points.reshape(len(points), -1, 2)
    border = find_border(projection, amplitude, 7, np.arange(len(points)), 20)
    if border is None:
        return None
    along = points.astype(float) @ border.direction - border.offset
    assert border.record["unit"].tolist() == [7]
    return np.polynomial.polynomial.polyval(along, border.curve) > 0


def test_spikes_of_far_neurons_are_found_where_density_has_one_mode():
    right, n_by_density = [], 0
    for seed in range(6):
        points, truth = unit_among_far_neurons(sizes=(1200, 350), n_features=40, distance=3.5, seed=seed)
        others = others_of(points, np.where(truth == 1, 1.0, 0.9))
        right.append(np.mean(others == (truth == 0)))
        n_by_density += int(split_features(points, halve=True, depth_min=3.0, ratio_max=0.8).max() > 0)
    assert min(right) > 0.93  # three in four belong to others
    assert np.mean(right) > 0.95
    assert n_by_density < 3


@pytest.mark.parametrize("n_spikes", [100, 400, 2000])
def test_one_unit_is_left_whole(n_spikes):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shape = rng.standard_normal(40)
        amplitude = rng.normal(1, 0.1, n_spikes)
        points = amplitude[:, None] * 12 * shape / np.linalg.norm(shape)
        assert others_of((points + rng.standard_normal(points.shape)).astype("float32"), amplitude) is None


def test_spikes_of_one_shape_are_one_unit_however_their_amplitudes_are_spread():
    rng = np.random.default_rng(0)
    amplitude = np.concatenate([rng.normal(1, 0.05, 600), rng.normal(0.5, 0.05, 300)])
    points = (amplitude[:, None] * np.full(40, 4.0) + rng.standard_normal((900, 40))).astype("float32")
    assert cut_overlapping(principal_axes(points, n_dims_max=8), n_spikes_min=20).sum() == 300
    assert others_of(points, amplitude) is None


def test_neither_few_nor_equal_points_are_cut():
    points, truth = unit_among_far_neurons(sizes=(60, 20), n_features=20, distance=9.0, seed=0)
    assert others_of(points, truth.astype(float)) is None
    assert cut_overlapping(np.zeros((400, 3), np.float32), n_spikes_min=20).max() == 0
    assert cut_overlapping(np.zeros((0, 3), np.float32), n_spikes_min=20).tolist() == []


def test_the_likelihood_is_that_of_the_normal_distributions_that_were_fitted():
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(0, 1, (200, 3)), rng.normal(4, 2, (100, 3))])
    shares = np.repeat([[1.0, 0.0], [0.0, 1.0]], [200, 100], axis=0).T.copy()
    likelihood, posterior = _fit(np.ascontiguousarray(points.T), shares, 0.0, 1)
    density = np.stack(
        [
            weight * multivariate_normal(part.mean(axis=0), np.cov(part.T, bias=True)).pdf(points)
            for weight, part in ((2 / 3, points[:200]), (1 / 3, points[200:]))
        ]
    )
    np.testing.assert_allclose(likelihood, np.log(density.sum(axis=0)).sum(), rtol=1e-9)
    np.testing.assert_allclose(posterior, density / density.sum(axis=0), atol=1e-9)
