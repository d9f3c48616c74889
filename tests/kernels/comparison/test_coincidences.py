"""Coincidences equal those of a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.comparison.coincidences import add_coincidences, add_overlaps, coincident_spikes


def drawn(seed: int, n: int = 200, n_units: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, 3000, n)), rng.integers(0, n_units, n)


@pytest.mark.parametrize("seed", range(5))
def test_counts_of_separated_spikes_are_pairs_within_the_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = np.arange(0, 6000, 40)
    one = samples, rng.integers(0, 3, len(samples))
    other = samples + rng.integers(-15, 16, len(samples)), rng.integers(0, 3, len(samples))
    counts = np.zeros((3, 3), np.int64)
    add_coincidences(counts, *one, *other, 10)
    expected = np.zeros((3, 3), np.int64)
    near = np.abs(one[0] - other[0]) <= 10
    np.add.at(expected, (one[1][near], other[1][near]), 1)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("seed", range(5))
def test_each_spike_is_paired_once(seed: int) -> None:
    (a, of_a), (b, of_b) = drawn(seed), drawn(seed + 100)
    partner = np.array([2, -1, 0, 1])
    of_first, of_second = coincident_spikes(a, of_a, b, of_b, partner, 8)
    for i, j in enumerate(of_first):
        if j >= 0:
            assert of_second[j] == i and abs(a[i] - b[j]) <= 8 and partner[of_a[i]] == of_b[j]
    free = (of_first[:, None] < 0) & (of_second[None] < 0)
    could = (np.abs(a[:, None] - b[None]) <= 8) & (partner[of_a][:, None] == of_b[None])
    assert not (free & could).any()  # no pair is left
    assert (of_first >= 0).sum() > 5


def test_overlaps_are_those_of_boxes() -> None:
    """Trains drawn sample by sample as sums of boxes have these products."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.integers(0, 400, 60)) for _ in range(2)]
    owners = [rng.integers(0, 3, 60) for _ in range(2)]
    boxes = np.zeros((2, 3, 420), np.int64)
    for side in range(2):
        for sample, unit in zip(trains[side], owners[side], strict=True):
            boxes[side, unit, sample : sample + 12] += 1
    found = np.zeros((3, 3), np.int64)
    add_overlaps(found, trains[0], owners[0], trains[1], owners[1], 12)
    np.testing.assert_array_equal(found, boxes[0] @ boxes[1].T)
