"""The sparse footprint tables against a dense computation, and the grid average against NumPy."""

import numpy as np
import pytest

from xephys.kernels.localize.footprint_grid import average_best_points, grid_footprints

POSITIONS = np.stack([(np.arange(12) % 2) * 32.0, (np.arange(12) // 2) * 20.0], axis=1)
DEPTHS = np.array([0.0, 20.0, 200.0])


@pytest.fixture(scope="module")
def tables():
    return grid_footprints(POSITIONS, radius_um=30, spacing_um=8, margin_um=40, depths_um=DEPTHS, decay_um=4)


def dense_weights(grid):
    """Unit-norm exponential footprints (point, depth, channel) without the small weights."""
    plane = np.linalg.norm(grid[:, None] - POSITIONS, axis=2)
    weights = np.exp(-np.sqrt(plane[:, None] ** 2 + DEPTHS[:, None] ** 2) / 4)
    weights /= np.linalg.norm(weights, axis=2, keepdims=True)
    weights[weights < 0.5 / np.sqrt(len(POSITIONS))] = 0
    return weights / np.linalg.norm(weights, axis=2, keepdims=True)


def to_dense(tables):
    n_rows = tables["footprint_offsets"].size - 1
    dense = np.zeros((n_rows, len(POSITIONS)))
    for row in range(n_rows):
        entries = slice(tables["footprint_offsets"][row], tables["footprint_offsets"][row + 1])
        dense[row, tables["footprint_channels"][entries]] = tables["footprint_weights"][entries]
    return dense.reshape(-1, DEPTHS.size, len(POSITIONS))


def test_tables_hold_the_dense_footprints(tables):
    grid = tables["grid_positions"]
    np.testing.assert_allclose(to_dense(tables), dense_weights(grid), atol=1e-7)
    distances = np.linalg.norm(POSITIONS[:, None] - grid, axis=2)
    assert (distances.min(axis=0) <= 30).all()
    for c in range(len(POSITIONS)):
        near = tables["near_points"][tables["near_offsets"][c] : tables["near_offsets"][c + 1]]
        assert np.array_equal(near, np.flatnonzero(distances[c] <= 30))


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.95])
def test_the_average_of_the_best_points_equals_numpys(tables, quantile):
    rng = np.random.default_rng(0)
    traces = rng.standard_normal((200, len(POSITIONS))).astype(np.float32)
    prototype = rng.standard_normal(9).astype(np.float32)
    first_rows, channels = rng.integers(0, 191, 30), rng.integers(0, len(POSITIONS), 30)
    places = average_best_points(traces, first_rows, channels, POSITIONS, prototype, *tables.values(), quantile)
    weights = to_dense(tables)
    for first, channel, place in zip(first_rows, channels, places, strict=True):
        near = tables["near_points"][tables["near_offsets"][channel] : tables["near_offsets"][channel + 1]]
        scores = weights[near] @ (prototype.astype(np.float64) @ traces[first : first + 9])
        if not (scores >= 0).any():
            assert np.array_equal(place, [*POSITIONS[channel], 0])
            continue
        least = np.quantile(scores[scores >= 0], quantile)
        kept = np.where(scores >= least, scores, 0)
        expected = np.r_[
            (kept.sum(axis=1) @ tables["grid_positions"][near]) / kept.sum(), (kept.sum(axis=0) @ DEPTHS) / kept.sum()
        ]
        np.testing.assert_allclose(place, expected, rtol=1e-9, atol=1e-9)
