"""Patterns are the means over spikes that a plain loop gives."""

import numpy as np

from xephys.kernels.realtime.patterns import mean_patterns, usable_patterns

from .spikes import make_roots
from .test_learn import LIMITS, SETTINGS


def test_means_are_those_of_a_loop_over_spikes():
    roots, around, unit = make_roots([2.0, 7.4], [0.5, 1.0], [22, 18], n_spikes=60)
    shift = np.random.default_rng(0).normal(0, 0.2, len(unit))
    found = mean_patterns(roots, around, unit.astype(np.int32), shift, 2, np.array([2, 7]))
    for k, root in enumerate((2, 7)):
        for slot, channel in enumerate(around.neighbors[root]):
            seen, late = [], []
            for i in np.flatnonzero(unit == k):
                for own in np.flatnonzero(around.neighbors[roots.channels[i]] == channel):
                    seen.append(roots.amplitudes[i, own])
                    if roots.probabilities[i, own] > 0:
                        late.append(roots.latencies[i, own] - shift[i])
            if seen:
                np.testing.assert_allclose(found.amplitudes[k, slot], np.mean(seen), rtol=1e-5)
            if late:
                np.testing.assert_allclose(found.latencies[k, slot], np.mean(late), rtol=1e-4, atol=1e-5)
            assert (found.probabilities[k, slot] > 0) == (2 * len(late) > len(seen))
    assert found.num_spikes.tolist() == [(unit == 0).sum(), (unit == 1).sum()]


def test_patterns_with_few_spikes_or_channels_are_dropped():
    roots, around, unit = make_roots([2.0, 7.0], [0.5, 1.0], [22, 18], n_spikes=60)
    patterns = mean_patterns(roots, around, unit.astype(np.int32), np.zeros(len(unit)), 2, np.array([2, 7]))
    kept = usable_patterns(patterns, around, LIMITS, SETTINGS, n_min=10)
    assert kept.root.tolist() == [2, 7]
    assert not len(usable_patterns(patterns, around, LIMITS, SETTINGS, n_min=1e6).root)
    assert not len(usable_patterns(patterns, around, LIMITS._replace(min_loose=7), SETTINGS, n_min=10).root)
