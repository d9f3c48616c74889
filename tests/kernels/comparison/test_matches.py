"""Matches of units by agreement."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from xephys.kernels.comparison.matches import agreement_of_counts, best_matches, one_to_one, order_by_agreement


def test_agreement_of_silent_units_is_zero() -> None:
    assert agreement_of_counts(np.zeros((1, 1), np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)).tolist() == [
        [0.0]
    ]


@pytest.mark.parametrize("seed", range(5))
def test_no_other_assignment_has_more_agreement(seed: int) -> None:
    agreement = np.random.default_rng(seed).random((4, 5))
    rows, columns = one_to_one(agreement, 0.3)
    counted = np.where(agreement < 0.3, 0, agreement)
    best = max(sum(counted[k, p[k]] for k in range(4)) for p in permutations(range(5), 4))
    chosen = rows >= 0
    assert agreement[np.flatnonzero(chosen), rows[chosen]].sum() == pytest.approx(best)
    assert (columns[rows[chosen]] == np.flatnonzero(chosen)).all()


def test_best_matches_may_share_a_unit() -> None:
    assert best_matches(np.array([[0.6, 0.2], [0.7, 0.1], [0.0, 0.05]]), 0.1).tolist() == [0, 0, -1]
    assert best_matches(np.zeros((2, 0)), 0.1).tolist() == [-1, -1]


def test_order_keeps_every_unit() -> None:
    agreement = np.random.default_rng(0).random((3, 5))
    rows, columns = order_by_agreement(agreement)
    assert sorted(rows) == [0, 1, 2] and sorted(columns) == [0, 1, 2, 3, 4]
    assert agreement[rows[0], columns[0]] == agreement.max()
    assert [len(order) for order in order_by_agreement(np.zeros((2, 0)))] == [2, 0]
