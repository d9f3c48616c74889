"""Sequences are merged where no gap lies between their spikes."""

import numpy as np

from xephys.kernels.realtime.merge import merge_targets
from xephys.kernels.realtime.patterns import mean_patterns

from .spikes import make_roots
from .test_learn import LIMITS


def merged(roots, around, label):
    patterns = mean_patterns(roots, around, label, np.zeros(len(label)), int(label.max()) + 1, None)
    return merge_targets(roots, around, patterns, label, LIMITS, 3.0).tolist()


def test_parts_of_one_neuron_are_merged_and_two_neurons_are_not():
    roots, around, unit = make_roots([2.0], [1.0], [20], n_spikes=600)
    parts = (np.arange(len(unit)) % 2).astype(np.int32)
    assert merged(roots, around, parts) == [0, 0]
    roots, around, unit = make_roots([2.0, 2.3], [1.0, 1.0], [22, 15])
    assert merged(roots, around, unit.astype(np.int32)) == [0, 1]


def test_pairs_beyond_the_limits_are_not_compared():
    roots, around, unit = make_roots([2.0, 9.0], [1.0, 1.0], [20, 20])
    assert merged(roots, around, unit.astype(np.int32)) == [0, 1]
