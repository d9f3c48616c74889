"""Learning finds the neurons that made the spikes."""

import numpy as np
import pytest

from xephys.kernels.realtime.assign import Limits
from xephys.kernels.realtime.learn import learn_sequences

from .spikes import make_roots

LIMITS = Limits(
    max_latency_diff=2.5, max_amp_diff=0.45, max_root_z=4.0, min_loose_prob=0.03, min_inner_loose=2, min_loose=2,
    min_loose_share=1 / 3, overlap_samples=6.0, follow=0.02,
)  # fmt: skip
SETTINGS = {
    "min_activity_root_cocs": 2, "min_activity_hz": 0.0, "max_n_components_latency": 4, "max_n_components_amp": 4,
    "min_coc_n": 10, "min_coc_p": 0.1, "min_extend_comp_p": 0.5, "elec_patience": 6, "split_coc_clusters_amps": True,
    "min_amp_dist_p": 0.1, "min_elecs_for_seq_noise": 300, "min_seq_spikes_n": 10, "min_seq_spikes_hz": 0.0,
    "relocate_root_min_amp": 0.8, "relocate_root_max_latency": -2.0,
}  # fmt: skip


def learned(roots, around, **given):
    patterns, label, _ = learn_sequences(
        roots, around, limits=LIMITS, merge_limits=LIMITS, settings={**SETTINGS, **given}, duration_s=10.0
    )
    return patterns, label


@pytest.mark.parametrize("seed", range(3))
def test_neurons_become_sequences(seed):
    """Two at one place differ in speed, two in size along the line, and one is between two channels."""
    roots, around, unit = make_roots([2.0, 2.0, 6.4, 9.0], [0.3, 2.2, 1.0, 0.5], [22, 22, 18, 15], seed=seed)
    patterns, label = learned(roots, around)
    assert len(patterns.root) == 4
    for k in range(4):
        mine = label[(unit == k) & (label >= 0)]
        assert (mine == np.bincount(mine).argmax()).mean() > 0.95
        assert len(mine) > 0.85 * (unit == k).sum()


def test_what_is_merged_and_what_is_not():
    """A neuron between two channels has roots on both, which become one sequence unless merging is ruled out."""
    roots, around, _ = make_roots([6.5], [1.0], [20], n_spikes=600)
    assert len(learned(roots, around)[0].root) == 1
    strict = LIMITS._replace(max_latency_diff=1e-6)
    patterns, _, _ = learn_sequences(
        roots, around, limits=LIMITS, merge_limits=strict, settings=SETTINGS, duration_s=10.0
    )
    assert len(patterns.root) >= 2


def test_learning_is_deterministic():
    roots, around, _ = make_roots([2.0, 7.0], [0.3, 1.0], [22, 18])
    first, again = (learned(roots, around) for _ in range(2))
    assert first[1].tobytes() == again[1].tobytes()
    assert first[0].amplitudes.tobytes() == again[0].amplitudes.tobytes()


def test_limits_of_a_sequence():
    roots, around, _ = make_roots([2.0, 7.0], [0.3, 1.0], [22, 18], n_spikes=100)
    assert len(learned(roots, around, min_seq_spikes_n=1000)[0].root) == 0
    assert len(learned(roots, around, min_elecs_for_seq_noise=2)[0].root) == 0
    assert len(learned(roots, around, min_activity_root_cocs=1000)[0].root) == 0
    unclear = roots._replace(clear=np.zeros_like(roots.clear))
    assert len(learned(unclear, around)[0].root) == 0
