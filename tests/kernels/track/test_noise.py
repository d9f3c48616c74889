"""The noise of a template is told from its spike by what neighboring contacts do not predict."""

import numpy as np
import pytest

from xephys.kernels.track import noise as module
from xephys.kernels.track.footprints import unit_footprints
from xephys.kernels.track.noise import noise_energies

CONTACTS = np.column_stack([np.tile([0.0, 32.0], 40), np.repeat(np.arange(40) * 20.0, 2)])
PLACE = np.array([[10.0, 400.0]])


def spike(size):
    apart = np.linalg.norm(CONTACTS - PLACE[0], axis=1)
    course = -np.exp(-((np.arange(48) - 16.0) ** 2) / 32)
    return (course[:, None] * size / np.hypot(apart, 20.0))[None]


@pytest.mark.parametrize("size", [0.0, 3_000.0])
@pytest.mark.parametrize("noise_uv", [1.0, 3.0])
def test_energies_are_those_of_the_noise_alone(size, noise_uv):
    rng = np.random.default_rng(1)
    noise = noise_uv * rng.standard_normal((20, 48, len(CONTACTS)))
    places = np.repeat(PLACE, 20, axis=0)
    footprints, _ = unit_footprints(noise.astype(np.float32), CONTACTS, places)
    found = noise_energies((noise + spike(size)).astype(np.float32), CONTACTS, places)
    assert 0.7 < found.sum() / (footprints**2).sum() < 1.2


def test_contacts_that_were_not_recorded_do_not_count(monkeypatch):
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((5, 48, len(CONTACTS))).astype(np.float32)
    noise[:3, :, ::3] = 0
    noise[4] = 0
    places = np.repeat(PLACE, 5, axis=0)
    monkeypatch.setattr(module, "BATCH", 2)
    found = noise_energies(noise, CONTACTS, places)
    footprints, valid = unit_footprints(noise, CONTACTS, places)
    for unit in range(4):
        here = valid[unit]
        assert 0.6 < found[unit, here].sum() / (footprints[unit, here] ** 2).sum() < 1.4
    assert not found[4].any()


def test_a_template_stored_on_its_nearest_contacts_is_not_taken_for_noise():
    apart = np.linalg.norm(CONTACTS - PLACE[0], axis=1)
    stored = np.where(apart < np.sort(apart)[14], spike(5_000.0), 0.0).astype(np.float32)
    assert not noise_energies(stored, CONTACTS, PLACE).any()
