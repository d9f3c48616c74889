"""The grid of universal templates: its positions, envelopes, shanks and distances."""

from __future__ import annotations

import tracemalloc

import numpy as np

from tests.support.universal import POSITIONS
from xephys.kernels.detect.universal_grid import grid_places, row_distance, universal_grid


def test_positions_cover_the_probe_and_stay_near_it():
    places = grid_places(POSITIONS, dmin=20, dminx=32, max_channel_distance=15)
    distance = np.linalg.norm(places[:, None] - POSITIONS[None], axis=2).min(axis=1)
    assert distance.max() <= 15
    everywhere = grid_places(POSITIONS, dmin=20, dminx=32, max_channel_distance=1000)
    assert len(everywhere) == 11 * 4  # steps of 10 µm along 100 µm, and 16 µm across 48 µm
    assert len(places) < len(everywhere)


def test_envelopes_fall_off_as_gaussians_of_unit_norm():
    table = universal_grid(POSITIONS, n_contacts=5, template_sizes=2, min_template_size=15.0)
    np.testing.assert_allclose(np.linalg.norm(table.envelopes, axis=2), 1.0, rtol=1e-6)
    for place in (0, 7, 20):
        distance = np.linalg.norm(POSITIONS - table.places[place], axis=1)
        nearest = table.contacts[place]
        assert distance[nearest].max() <= np.sort(distance)[4] + 1e-6
        for j in range(2):
            expected = np.exp(-((distance[nearest] / (15.0 * (j + 1))) ** 2))
            np.testing.assert_allclose(table.envelopes[j, place], expected / np.linalg.norm(expected), rtol=1e-5)


def test_a_narrow_envelope_far_from_contacts_is_finite():
    table = universal_grid(POSITIONS, min_template_size=0.5, n_contacts=4)
    assert np.isfinite(table.envelopes).all()


def test_shanks_have_grids_of_their_own():
    positions = np.concatenate([POSITIONS, POSITIONS + np.array([250, 7])])
    table = universal_grid(positions, shanks=np.repeat([0, 1], 12), n_contacts=20, n_competing=500)
    own = table.contacts[: len(table.places) // 2]
    assert own.max() < 12
    assert table.contacts[len(table.places) // 2 :].min() >= 12
    assert table.neighbors[0][table.neighbors[0] >= 0].max() < len(table.places) // 2
    # Templates of 20 channels on a shank of 12 contacts have weight 0 on the rest.
    assert (table.envelopes[:, :, 12:] == 0).all()


def test_distance_of_rows():
    assert row_distance(np.array([[0, 5.0], [30, 5.0]])) == 1.0
    assert row_distance(np.array([[0, 0], [0, 1.0], [0, 25], [0, 26], [0, 50.0]])) == 24.0


def test_competing_positions_of_a_large_grid_need_little_memory():
    """The nearest positions, in order for equal distances, without a table of all pairs."""
    column = np.stack([np.zeros(100), np.arange(100) * 20.0], axis=1)
    positions = np.concatenate([column, column + np.array([96.0, 0])])
    tracemalloc.start()
    table = universal_grid(positions, n_contacts=4, template_sizes=1, n_competing=30, dminx=16.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    n = len(table.places)
    assert n > 1500  # several blocks
    assert peak < n * n * 16  # one table of differences between all pairs
    for place in (0, 1, 511, 512, 513, 1023, 1024, n - 1):
        squares = np.round(((table.places - table.places[place]) ** 2).sum(axis=1), 6)
        squares[place] = -1.0
        assert table.neighbors[place].tolist() == np.argsort(squares, kind="stable")[:30].tolist()
