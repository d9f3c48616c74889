"""Coincidences of two units are missing where the template of their sum took them, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.templates.coincidences import missed_together
from xephys.kernels.templates.composites import COMPOSITE


@pytest.mark.parametrize("lag", [-7, 0, 20])
def test_coincidences_taken_by_a_third_unit_are_missing(lag):
    rng, n = np.random.default_rng(3), 3_000_000
    first, second = (np.sort(rng.choice(n, 10_000, replace=False)) for _ in range(2))
    pair = np.array([(2, 0, 1, 0, lag, 0.3, True)], COMPOSITE)
    taken = np.abs(
        first[:, None] + lag - second[np.searchsorted(second, first + lag).clip(1, 9_999)[:, None] + [-1, 0]]
    )
    free = first[taken.min(axis=1) > 8]

    def missed(a, b):
        samples, units = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
        order = np.argsort(samples, kind="stable")
        given = {"counts": [10_000, 10_000, 300], "duration_samples": n}
        return missed_together(pair, samples[order], units[order], **given).tolist()

    assert missed(first, second) == [False]
    assert missed(free, second) == [True]
    assert missed(free[::4], second) == [True]
    assert missed(free[:50], second) == [False]  # too few spikes to decide
