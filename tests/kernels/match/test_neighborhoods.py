"""Which units affect each other, against paths found one step at a time."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.neighborhoods import neighborhoods, pair_numbers


def sharing(n_units: int, seed: int) -> np.ndarray:
    """A symmetric relation of few units, which includes each with itself."""
    sees = np.random.default_rng(seed).random((n_units, n_units)) < 1.5 / n_units
    return sees | sees.T | np.eye(n_units, dtype=bool)


@pytest.mark.parametrize(("n_units", "seed"), [(1, 0), (5, 1), (12, 2), (30, 3)])
def test_units_within_two_and_four_steps(n_units: int, seed: int) -> None:
    sees = sharing(n_units, seed)
    first, second = np.nonzero(sees)
    starts, units = np.searchsorted(first, np.arange(n_units + 1)), second.astype(np.int32)
    pairs, partners, near, far = neighborhoods(starts, units)
    numbers = pair_numbers(starts, units)
    for unit in range(n_units):
        within = {0: {unit}}
        for step in range(4):
            within[step + 1] = {int(v) for u in within[step] for v in np.flatnonzero(sees[u])}
        assert set(partners[unit].tolist()) == within[1]
        assert set(near[unit].tolist()) == within[2]
        assert set(np.flatnonzero(far[unit]).tolist()) == within[4]
        assert {int(v): int(p) for p, v in zip(pairs[unit], partners[unit], strict=True) if p >= 0} == {
            v: int(numbers[unit, v]) for v in within[1]
        }
    assert (numbers >= 0).tolist() == sees.tolist()
    assert units[numbers[first, second]].tolist() == second.tolist()
