"""Units that fire together with distant units are artifacts; neighbors and busy units are not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from xephys.kernels.curate import common_events as kernel
from xephys.kernels.curate.common_events import common_events

N_SAMPLES = 3_000_000


def trains(*samples):
    units = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
    joined = np.concatenate(samples)
    order = np.argsort(joined, kind="stable")
    return joined[order], units[order]


@pytest.mark.parametrize(("channels", "expected"), [([[0], [90]], True), ([[0, 1], [1, 0]], False)])
def test_common_events_are_artifacts_only_far_apart(channels, expected):
    """Neighboring neurons may share spikes, as copies or in bursts; distant ones do not."""
    first = np.sort(np.random.default_rng(0).choice(N_SAMPLES, 500, replace=False))
    samples, units = trains(first, first + 3)
    window = {"window_samples": 15, "n_samples": N_SAMPLES}
    assert common_events(samples, units, np.array(channels), np.ones(2), **window).tolist() == [expected, expected]
    # Of a very large unit and its far field, the large one stays.
    assert common_events(samples, units, np.array(channels), np.array([9, 1]), **window).tolist() == [False, expected]


def test_busy_units_that_coincide_by_chance_are_not_artifacts():
    rng = np.random.default_rng(1)
    busy = [np.sort(rng.choice(N_SAMPLES, 100_000, replace=False)) for _ in range(2)]
    samples, units = trains(*busy)
    window = {"window_samples": 15, "n_samples": N_SAMPLES}
    assert not common_events(samples, units, np.array([[0], [90]]), np.ones(2), **window).any()


def test_coincidences_are_counted_across_the_borders_of_blocks(monkeypatch):
    first = np.sort(np.random.default_rng(2).choice(N_SAMPLES, 500, replace=False))
    samples, units = trains(first, first + 3)
    monkeypatch.setattr(kernel, "row_blocks", partial(kernel.row_blocks, size=1))  # every pair lies across a border
    window = {"window_samples": 15, "n_samples": N_SAMPLES}
    assert common_events(samples, units, np.array([[0], [90]]), np.ones(2), **window).tolist() == [True, True]
