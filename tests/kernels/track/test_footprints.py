"""Footprints do not depend on the unit's place along the probe or on the contacts that recorded it."""

import numpy as np
import pytest

from xephys.kernels.lib.interpolate.kriging import NUGGET, matern
from xephys.kernels.track.footprints import (
    aligned,
    far_shares,
    grid_places,
    surprises,
    unit_footprints,
    unit_sizes,
)

ROWS = np.arange(24)
CONTACTS = np.column_stack([np.array([16.0, 48.0, 0.0, 32.0])[np.arange(48) % 4], 20.0 * (np.arange(48) // 2)])
COURSE = -np.exp(-((np.arange(30) - 10.0) ** 2) / 18) + 0.3 * np.exp(-((np.arange(30) - 18.0) ** 2) / 60)


def template(x, y, z=20.0, contacts=CONTACTS):
    distance = np.sqrt(((contacts - [x, y]) ** 2).sum(axis=1) + z**2)
    return (COURSE[:, None] * (3000 / distance)[None]).astype(np.float32)[None]


@pytest.mark.parametrize("shift", [3.0, 10.0, 27.0, 60.0])
def test_footprints_do_not_depend_on_the_place_of_the_tissue(shift):
    first, valid = unit_footprints(template(20.0, 200.0), CONTACTS, np.array([[20.0, 200.0]]))
    second, _ = unit_footprints(template(20.0, 200.0 + shift), CONTACTS, np.array([[20.0, 200.0 + shift]]))
    assert valid.all()
    cosine = (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum())
    assert cosine > 0.995


def test_other_neurons_look_different():
    first, _ = unit_footprints(template(5.0, 200.0), CONTACTS, np.array([[5.0, 200.0]]))
    second, _ = unit_footprints(template(45.0, 200.0), CONTACTS, np.array([[45.0, 200.0]]))
    assert (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()) < 0.98


def test_beyond_the_contacts_nothing_is_extrapolated():
    footprints, valid = unit_footprints(template(20.0, 0.0), CONTACTS, np.array([[20.0, 0.0]]))
    assert 0 < valid.sum() < valid.size
    assert (footprints[~valid] == 0).all()


def test_a_contact_that_was_not_recorded_is_no_contact_without_a_signal():
    """A template that is 0 throughout on some channels has the footprint of one without these channels."""
    whole, place = template(20.0, 200.0), np.array([[20.0, 200.0]])
    recorded = np.abs(CONTACTS[:, 1] - 200.0) < 70
    some = np.where(recorded, whole, np.float32(0))
    footprint, valid = unit_footprints(some, CONTACTS, place)
    expected, expected_valid = unit_footprints(whole[:, :, recorded], CONTACTS[recorded], place)
    np.testing.assert_array_equal(valid, expected_valid)
    np.testing.assert_allclose(footprint, expected, atol=0.05)
    assert valid.any() and not valid.all()


def test_the_energy_of_a_footprint_changes_less_with_its_place_than_the_largest_contact_does():
    """Near a contact, the amplitude there changes severalfold where the tissue moves by half a row of contacts."""
    first, second = (template(16.0, y, z=6.0) for y in (200.0, 210.0))
    of_contact = np.log(np.ptp(first, axis=1).max() / np.ptp(second, axis=1).max())
    energies = [
        (unit_footprints(one, CONTACTS, np.array([[16.0, y]]))[0] ** 2).sum()
        for one, y in ((first, 200.0), (second, 210.0))
    ]
    assert abs(np.log(energies[0] / energies[1]) / 2) < 0.5 * of_contact
    assert of_contact > 0.6


def test_surprises_are_errors_of_each_contact_from_all_others():
    one = template(20.0, 200.0, z=8.0) + 0.5 * np.random.default_rng(0).standard_normal((1, 30, 48)).astype(np.float32)
    one[:, :, 20] = 0
    near = np.argsort(np.linalg.norm(CONTACTS - [20.0, 200.0], axis=1), kind="stable")
    near = [contact for contact in near if contact != 20][:44]
    error = 0.0
    for contact in near:
        others = [other for other in near if other != contact]
        between = np.linalg.norm(CONTACTS[others][:, None] - CONTACTS[others], axis=2)
        to_others = matern(np.linalg.norm(CONTACTS[others] - CONTACTS[contact], axis=1))
        weights = np.linalg.solve(matern(between) + NUGGET * np.eye(len(others)), to_others)
        error += ((one[0, :, contact] - one[0][:, others] @ weights) ** 2).sum()
    found = surprises(one, CONTACTS, np.array([[20.0, 200.0]]))
    np.testing.assert_allclose(found, error / (one[0][:, near] ** 2).sum(), rtol=1e-3)


def test_sharp_units_and_units_beyond_the_contacts_surprise():
    wide, sharp, outside = (template(16.0, y, z=z) for y, z in ((200.0, 40.0), (200.0, 4.0), (-15.0, 15.0)))
    places = np.array([[16.0, 200.0], [16.0, 200.0], [16.0, -15.0]])
    low, high, end = surprises(np.concatenate([wide, sharp, outside]), CONTACTS, places)
    assert 4 * low < high and 4 * low < end


def test_batches_do_not_change_the_result(monkeypatch):
    many = np.concatenate([template(20.0, y) for y in (100.0, 150.0, 210.0)])
    places = np.array([[20.0, 100.0], [20.0, 150.0], [20.0, 210.0]])
    once = unit_footprints(many, CONTACTS, places)
    monkeypatch.setattr("xephys.kernels.track.footprints.BATCH", 1)
    again = unit_footprints(many, CONTACTS, places)
    np.testing.assert_allclose(once[0], again[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(once[1], again[1])


def test_batches_do_not_change_surprises(monkeypatch):
    many, places = np.concatenate([template(20.0, y) for y in (100.0, 150.0)]), np.array([[20.0, 100.0], [20.0, 150.0]])
    once = surprises(many, CONTACTS, places)
    monkeypatch.setattr("xephys.kernels.track.footprints.BATCH", 1)
    np.testing.assert_allclose(once, surprises(many, CONTACTS, places), rtol=1e-9)


def test_a_wide_shank_has_a_grid_that_moves_with_the_unit():
    wide = np.column_stack([np.tile(np.arange(8) * 40.0, 8), np.repeat(np.arange(8) * 40.0, 8)])
    grid = grid_places(wide, np.array([[100.0, 50.0], [200.0, 50.0]]))
    np.testing.assert_allclose(grid[1] - grid[0], [[100.0, 0.0]] * grid.shape[1])


def test_noise_adds_nothing_to_sizes():
    noise = np.random.default_rng(0).standard_normal((200, 30, 48)).astype(np.float32)
    sizes, peak, amplitude = unit_sizes(template(20.0, 200.0) + noise)
    clean = unit_sizes(template(20.0, 200.0))[0]
    assert np.abs(sizes.mean(axis=0) - clean[0]).max() < 0.1 * amplitude.mean()
    assert sizes.shape == (200, 48) and set(peak) <= set(np.flatnonzero(clean[0] > 0.8 * clean[0].max()))


def test_alignment_takes_back_a_jitter():
    plain = template(20.0, 200.0)
    moved = np.roll(plain, 3, axis=1)
    peak = np.ptp(plain, axis=1).argmax(axis=1)
    np.testing.assert_allclose(
        aligned(moved, peak, nbefore=10)[:, 8:22], aligned(plain, peak, nbefore=10)[:, 8:22], rtol=1e-5, atol=1e-4
    )


def test_noise_hardly_moves_a_wide_trough():
    """The extremum of a wide trough jumps by samples with the noise; the aligned course does not."""
    rng, time = np.random.default_rng(0), np.arange(48) - 16.0
    course = -50.0 * np.exp(-(time**2) / (2 * 8.0**2))
    noisy = (course + 2.0 * rng.standard_normal((200, 48))).astype(np.float32)[:, :, None]
    none = np.zeros(200, np.int64)
    out = aligned(noisy, none, nbefore=16)[:, :, 0]
    middle = ((out**4) @ time) / (out**4).sum(axis=1)
    assert np.abs(noisy[:, :, 0].argmin(axis=1) - 16).max() >= 3 and np.abs(middle).std() < 0.3


def test_an_artifact_is_as_large_far_away_and_a_neuron_is_not():
    apart = np.linalg.norm(CONTACTS[:, None] - CONTACTS[None], axis=2)
    artifact = (COURSE[:, None] * np.ones(48)).astype(np.float32)[None]
    templates = np.concatenate([template(20.0, 200.0), template(20.0, 200.0, z=60.0), artifact, artifact])
    peak = np.argmax(unit_sizes(templates)[0], axis=1)
    far = (apart[peak[3]] >= 50) & (apart[peak[3]] <= 150)
    templates[3][:, far] = 0  # only the near contacts were recorded
    share = far_shares(templates, unit_sizes(templates)[0], peak, apart)
    assert share[0] < share[1] < 0.6 and share[2] > 0.99 and share[3] == 0
