"""Collisions equal those of a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.comparison.collisions import colliding_pairs


def drawn(seed: int, n: int = 200, n_units: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, 3000, n)), rng.integers(0, n_units, n)


@pytest.mark.parametrize("seed", range(5))
def test_collisions_equal_a_plain_loop(seed: int) -> None:
    samples, units = drawn(seed)
    expected = set()
    for i in range(len(samples)):
        for j in range(i + 1, len(samples)):
            between = set(units[i + 1 : j].tolist())
            if samples[j] - samples[i] <= 20 and units[i] != units[j] and not between & {units[i], units[j]}:
                expected.add((i, j) if units[i] < units[j] else (j, i))
    found = colliding_pairs(samples, units, 20)
    assert {tuple(pair) for pair in found.tolist()} == expected and len(found) == len(expected) > 50
