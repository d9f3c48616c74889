"""How waveforms of a unit mix with those of others and with noise."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.neighborhood import neighborhoods, nn_isolation, nn_noise_overlap, own_neighbors

CHANNELS = np.array([[0, 1], [0, 1], [4, 5]], np.int32)


def waveforms(apart: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    owners = np.repeat([0, 1, 2], 60)
    shape = rng.normal(size=(3, 20, 2))
    shape[1] = shape[0] + apart * rng.normal(size=(20, 2))
    return (5 * shape[owners] + rng.normal(size=(180, 20, 2))).astype(np.float32), owners


@pytest.mark.parametrize(("apart", "low", "high"), [(0.0, 0.35, 0.65), (1.0, 0.99, 1.0)])
def test_similar_units_mix_and_different_ones_do_not(apart: float, low: float, high: float) -> None:
    values, owners = waveforms(apart)
    n = np.bincount(owners)
    assert low <= nn_isolation(values, owners, CHANNELS, 0, num_spikes=n, seed=0) <= high
    assert nn_isolation(values, owners, CHANNELS, 2, num_spikes=n, seed=0) == 1.0


def test_noise_and_spikes() -> None:
    values, owners = waveforms(1.0)
    noise = np.random.default_rng(1).normal(size=(100, 20, 6)).astype(np.float32)
    assert nn_noise_overlap(values, owners, CHANNELS, noise, 0, seed=0) < 0.05
    quiet = np.random.default_rng(2).normal(size=(180, 20, 2)).astype(np.float32)
    assert nn_noise_overlap(quiet, owners, CHANNELS, noise, 0, seed=0) > 0.3


def test_few_spikes() -> None:
    values, owners = waveforms(1.0)
    few = np.array([9, 60, 60])
    noise = np.zeros((20, 20, 6), np.float32)
    isolation, overlap = neighborhoods(values[54:], owners[54:], CHANNELS, noise, 0, num_spikes=few, seed=0)
    assert np.isnan([isolation, overlap]).all()


def test_rows_from_one_distribution_mix_by_half() -> None:
    rng = np.random.default_rng(5)
    assert 0.4 < own_neighbors(rng.normal(size=(200, 9)), rng.normal(size=(200, 9))) < 0.6


def test_a_unit_without_waveforms_has_no_values() -> None:
    values, owners = waveforms(1.0)
    channels = np.concatenate([CHANNELS, [[2, 3]]]).astype(np.int32)
    noise = np.zeros((20, 20, 6), np.float32)
    found = neighborhoods(values, owners, channels, noise, 3, num_spikes=np.array([60, 60, 60, 0]), seed=0)
    assert np.isnan(found).all()
