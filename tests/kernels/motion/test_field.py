"""Displacements of a field whose covariance is known are found; the course is the most probable one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import multivariate_normal

from xephys.kernels.motion.field import best_course, field_grid, log_likelihood, registered_covariance

ROW_UM = 20.0
GRID = field_grid(12, row_um=ROW_UM, disp_max_um=40.0, step_um=10.0)


def covariance(seed=0):
    root = np.random.default_rng(seed).normal(size=(GRID.n_registered, 30))
    return root @ root.T / 30 + 0.1 * np.eye(GRID.n_registered)


def seen_at(field, shift_um):
    """A registered field as seen at rows of contacts; the first registered depth lies 40 µm below the lowest row."""
    depths = ROW_UM * (np.arange(GRID.n_registered) - 2)
    return CubicSpline(depths, field, axis=1)(ROW_UM * np.arange(12) - shift_um).astype(np.float32)


def test_what_is_seen_is_moved_back():
    depths = ROW_UM * (np.arange(GRID.n_registered) - 2)
    field = np.sin(depths / 60.0)[None]
    for shift, first, weights in zip(GRID.shifts_um, GRID.first_seen, GRID.weights, strict=True):
        back = seen_at(field, shift) @ weights
        inside = slice(1, -1)
        assert np.allclose(back[0][inside], field[0, first : first + 11][inside], atol=0.02), shift


def test_likelihood_is_that_of_a_normal_distribution():
    true, samples = covariance(), np.random.default_rng(1).normal(size=(5, 12)).astype(np.float32)
    found = log_likelihood(samples, true, GRID)
    for shift, first in enumerate(GRID.first_seen):
        own = slice(first, first + 11)
        law = multivariate_normal(np.zeros(11), true[own, own])
        wanted = law.logpdf(samples.astype(float) @ GRID.weights[shift]) + 5.5 * np.log(2 * np.pi)
        assert np.allclose(found[:, shift], wanted)


@pytest.mark.parametrize("place", [0, 3, 8])
def test_the_displacement_of_a_known_covariance_is_found(place):
    field = np.random.default_rng(2).multivariate_normal(np.zeros(GRID.n_registered), covariance(), 400)
    seen = seen_at(field, GRID.shifts_um[place])
    assert log_likelihood(seen, covariance(), GRID).sum(axis=0).argmax() == place


def test_covariance_of_registered_samples():
    field = np.random.default_rng(3).multivariate_normal(np.zeros(GRID.n_registered), covariance(), 20_000)
    place = np.arange(20_000) % 9
    seen = np.concatenate([seen_at(field[place == k], GRID.shifts_um[k]) for k in range(0, 9, 2)])
    found = registered_covariance(
        seen, np.repeat(np.arange(0, 9, 2), [np.sum(place == k) for k in range(0, 9, 2)]), GRID
    )
    assert np.allclose(found[2:-2, 2:-2], covariance()[2:-2, 2:-2], atol=0.06)


def test_depths_never_seen_together_get_what_is_typical_of_their_distance():
    samples = np.random.default_rng(4).normal(size=(500, 12)).astype(np.float32)
    found = registered_covariance(samples, np.full(500, 4), GRID)
    assert found[0, 0] == pytest.approx(np.diag(found)[2:13].mean(), rel=0.02)


@pytest.mark.parametrize("fall", [0.3, 2.0])
def test_course_is_the_most_probable_of_all(fall):
    likelihood = np.random.default_rng(5).normal(size=(5, 4)) * 2

    def probability(course):
        moves = np.abs(np.diff(course)).sum()
        return likelihood[np.arange(5), list(course)].sum() - fall * moves

    best = max(product(range(4), repeat=5), key=probability)
    assert best_course(likelihood, fall).tolist() == list(best)


def test_no_samples_have_no_course():
    assert len(best_course(np.zeros((0, 3)), 1.0)) == 0
