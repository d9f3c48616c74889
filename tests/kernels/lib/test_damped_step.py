"""A damped step, called through a kernel that has nothing else to do."""

from __future__ import annotations

import numpy as np
from numba import njit

from xephys.kernels.lib.damped_step import damped_step


@njit
def step_of(gradient, curvature, damping, place, low, high):
    step, free, factor = np.zeros(3), np.zeros(3), np.zeros((3, 3))
    damped_step(gradient, curvature, damping, place, low, high, step, free, factor)
    return step


GRADIENT = np.array([1.0, -2.0, 0.5])
CURVATURE = np.array([[4.0, 1.0, 0.2], [1.0, 3.0, 0.1], [0.2, 0.1, 2.0]])
LOW, HIGH = np.full(3, -10.0), np.full(3, 10.0)


def test_it_solves_the_damped_equations():
    for damping in (0.0, 0.5):
        expected = np.linalg.solve(CURVATURE + damping * np.diag(np.diag(CURVATURE)), -GRADIENT)
        np.testing.assert_allclose(step_of(GRADIENT, CURVATURE, damping, np.zeros(3), LOW, HIGH), expected)


def test_a_place_on_the_box_moves_along_it():
    """Only if the gradient points outwards."""
    corner = np.array([LOW[0], LOW[1], 0.0])
    step = step_of(GRADIENT, CURVATURE, 0.0, corner, LOW, HIGH)
    expected = np.linalg.solve(CURVATURE[1:, 1:], -GRADIENT[1:])
    np.testing.assert_allclose(step, [0.0, *expected])


def test_an_unknown_without_influence_does_not_spoil_the_others():
    flat = np.diag([4.0, 0.0, 2.0])
    step = step_of(np.array([1.0, 0.0, 1.0]), flat, 0.0, np.zeros(3), LOW, HIGH)
    np.testing.assert_allclose(step, [-0.25, 0.0, -0.5])
