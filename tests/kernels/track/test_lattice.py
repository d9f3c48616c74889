"""Footprints at the same depths of the tissue: against templates interpolated there, and against a double loop."""

import numpy as np
import pytest

from xephys.kernels.track import pairs as module
from xephys.kernels.track.footprints import ROWS_UM, unit_footprints
from xephys.kernels.track.lattice import STEP_UM, on_lattice
from xephys.kernels.track.pairs import make_units, moved_units, near_pairs

from .test_pairs import reference

N_ROWS, N_COLUMNS = len(ROWS_UM), 2


def templates_at(depths, n_contacts=40, width_um=35.0):
    """Templates of neurons on a column of contacts 20 µm apart, and these contacts."""
    contacts = np.column_stack([np.zeros(n_contacts), 20.0 * np.arange(n_contacts)])
    size = np.exp(-(((contacts[:, 1] - np.asarray(depths)[:, None]) / width_um) ** 2))
    course = np.array([0.0, -1.0, -3.0, 1.0, 0.5])
    return (size[:, None, :] * course[:, None]).astype(np.float32), contacts


def found_at(depths, said):
    """Footprints on the lattice of neurons at these depths that are said to be at others."""
    templates, contacts = templates_at(depths)
    own, valid = unit_footprints(templates, contacts, np.column_stack([np.zeros(len(said)), said]))
    return on_lattice(own, valid, np.zeros(valid.shape, np.float32), np.asarray(said, float))


def test_footprints_are_those_interpolated_at_the_depths_of_the_lattice():
    said = 400.0 + np.linspace(-8.0, 8.0, 11)
    templates, contacts = templates_at(said + 3.0)
    found = found_at(said + 3.0, said)
    at_lattice = found.first_row * STEP_UM - ROWS_UM[0]
    assert (np.abs(at_lattice - said) <= STEP_UM / 2 + 1e-9).all()
    direct, _ = unit_footprints(templates, contacts, np.column_stack([np.zeros(11), at_lattice]))
    assert found.valid.mean() > 0.7
    np.testing.assert_allclose(found.footprints[found.valid], direct[found.valid], atol=0.06)
    assert np.abs(direct).max() > 2.5 and not found.footprints[~found.valid].any()


def test_a_neuron_whose_location_is_off_has_the_same_footprint_and_its_neighbor_another():
    def similarity(depths, said):
        found = found_at(depths, said)
        units = make_units(
            found.footprints, found.valid, np.ones((2, 4), np.float32), np.empty((2, 0), np.float32), np.zeros(2),
            found.noise, np.column_stack([np.zeros(2), said, np.zeros(2)]), np.arange(2), found.first_row,
        )  # fmt: skip
        _, _, features = near_pairs(units, units, distance_max_um=60.0, cosine_min=-1.0)
        return float(features[0, 0])

    assert similarity([403.0, 403.0], [403.0, 411.0]) > 2.5
    assert similarity([403.0, 428.0], [403.0, 428.0]) < 1.2


def units(n, seed):
    rng = np.random.default_rng(seed)
    n_places = N_COLUMNS * N_ROWS
    valid = rng.uniform(size=(n, n_places)) > 0.2
    footprints = np.where(valid[:, :, None], rng.standard_normal((n, n_places, 5)) + 1.5, 0).astype(np.float32)
    places = np.column_stack([rng.uniform(0, 50, n), rng.uniform(0, 500, n), rng.uniform(5, 30, n)])
    lags, peths = rng.uniform(size=(n, 20)).astype(np.float32), np.empty((n, 0), np.float32)
    noise = np.where(valid, rng.uniform(0, 3, (n, n_places)), 0).astype(np.float32)
    first_row = np.round((places[:, 1] + ROWS_UM[0]) / STEP_UM).astype(np.int64)
    return (footprints, valid, lags, peths, rng.uniform(0, 0.5, n), noise, places, np.arange(n)), first_row


def spread(columns, first_row, n_rows=60, offset=10):
    """The same units with every place of the whole shank, one after the other."""
    footprints, valid, lags, peths, surprise, noise, places, row = columns
    wide = [np.zeros((len(row), N_COLUMNS * n_rows, *v.shape[2:]), v.dtype) for v in (footprints, valid, noise)]
    for unit in row:
        for column in range(N_COLUMNS):
            for k in range(N_ROWS):
                at = column * n_rows + offset + first_row[unit] + k
                for out, values in zip(wide, (footprints, valid, noise), strict=True):
                    out[unit, at] = values[unit, column * N_ROWS + k]
    return wide[0], wide[1], lags, peths, surprise, wide[2], places, row


@pytest.mark.parametrize("block", [4, 64])
def test_pairs_on_the_lattice_equal_those_of_a_double_loop(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ON_LATTICE", block)
    (a, of_a), (b, of_b) = units(30, 0), units(25, 1)
    first, second = make_units(*a, of_a), make_units(*b, of_b)
    i, j, features = near_pairs(first, second, distance_max_um=60.0, cosine_min=0.3)
    expected = {k: v[:6] for k, v in reference(spread(a, of_a), spread(b, of_b), 60.0, 0.3).items()}
    found = dict(zip(zip(first.row[i].tolist(), second.row[j].tolist(), strict=True), features, strict=True))
    assert found.keys() == expected.keys() and len(found) > 20
    for key, values in expected.items():
        np.testing.assert_allclose(found[key][:6], values, rtol=5e-4, atol=5e-4)


def test_units_that_are_moved_by_steps_are_compared_as_they_were():
    columns, first_row = units(20, 3)
    here = make_units(*columns, first_row)
    there = moved_units(moved_units(here, 10 * STEP_UM), -10 * STEP_UM)
    near = [near_pairs(here, other, distance_max_um=60.0, cosine_min=0.3)[2] for other in (here._replace(), there)]
    np.testing.assert_allclose(*near, atol=1e-12)
