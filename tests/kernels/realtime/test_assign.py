"""Assignment gives each spike its neuron, whatever the blocks, and follows the tissue."""

import numpy as np

from xephys.kernels.realtime.assign import Limits, assign, make_sequences, new_state
from xephys.kernels.realtime.patterns import to_sequences

from .spikes import make_roots
from .test_learn import LIMITS, learned


def run(roots, around, sequences, limits, cuts=()):
    """Labels and times, block after block."""
    last, parts = new_state(len(sequences.channels)), []
    for start, stop in zip((0, *cuts), (*cuts, len(roots.samples)), strict=True):
        block = roots._replace(**{name: getattr(roots, name)[start:stop] for name in roots._fields})
        given = (getattr(block, name) for name in block._fields[:-1])
        parts.append(assign(*given, around.neighbors, sequences, limits, last)[:2])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def test_spikes_get_their_neuron():
    roots, around, unit = make_roots([3.0, 3.4, 8.0], [0.5, 2.0, 1.0], [20, 20, 14])
    patterns, _ = learned(roots, around)
    label, _ = run(roots, around, to_sequences(patterns, around), LIMITS)
    assert (label >= 0).mean() > 0.9
    for k in range(3):
        mine = label[(unit == k) & (label >= 0)]
        assert (mine == np.bincount(mine).argmax()).mean() > 0.97


def test_blocks_do_not_matter_to_the_bit():
    roots, around, _ = make_roots([3.0, 8.0], [0.5, 1.0], [20, 14], drift=1.0)
    patterns, _ = learned(roots, around)
    results = []
    for cuts in ((), (1, 2, 50, 51, 333), tuple(range(1, 400))):
        sequences = to_sequences(patterns, around)
        label, time = run(roots, around, sequences, LIMITS, cuts)
        results.append((label.tobytes(), time.tobytes(), sequences.amplitudes.tobytes(), sequences.latencies.tobytes()))
    assert results[0] == results[1] == results[2]


def test_moving_averages_follow_the_tissue():
    still, around, _ = make_roots([4.0], [0.8], [20], n_spikes=300)
    moving, _, _ = make_roots([4.0], [0.8], [20], n_spikes=2000, seed=1, drift=2.5)
    patterns, _ = learned(still, around)
    late = slice(1500, 2000)
    found = {
        follow: (run(moving, around, to_sequences(patterns, around), LIMITS._replace(follow=follow))[0][late] >= 0)
        for follow in (0.0, 0.02)
    }
    assert found[0.02].mean() > 0.9 > found[0.0].mean()


def test_a_repeated_detection_is_one_spike():
    roots, around, _ = make_roots([4.0], [0.8], [25], n_spikes=40)
    patterns, _ = learned(roots, around)
    twice = roots._replace(
        **{name: np.repeat(getattr(roots, name), 2, axis=0) for name in roots._fields if name != "samples"},
        samples=np.repeat(roots.samples, 2) + np.tile([0, 3], 40),
    )
    assert (run(twice, around, to_sequences(patterns, around), LIMITS)[0] >= 0).sum() <= 40
    apart = LIMITS._replace(overlap_samples=2.0)
    assert (run(twice, around, to_sequences(patterns, around), apart)[0] >= 0).sum() > 60


def test_no_sequences_no_spikes():
    roots, around, _ = make_roots([4.0], [0.8], [25], n_spikes=20)
    none = np.zeros((0, 6))
    sequences = make_sequences(
        channels=none.astype(np.int32), amplitudes=none, latencies=none, probabilities=none,
        n_inner=np.zeros(0, np.int32), root_std=np.zeros(0), inner=around.inner,
    )  # fmt: skip
    assert isinstance(LIMITS, Limits)
    assert (run(roots, around, sequences, LIMITS)[0] == -1).all()


def test_a_smaller_spike_of_the_same_pattern_is_kept_and_another_pattern_is_not():
    roots, around, _ = make_roots([4.0], [0.8], [25], n_spikes=100)
    wide = LIMITS._replace(max_latency_diff=99.0, max_amp_diff=99.0, max_root_z=99.0)
    patterns, _ = learned(roots, around)
    smaller = roots._replace(amplitudes=roots.amplitudes * np.float32(0.75))
    assert (run(smaller, around, to_sequences(patterns, around), wide)[0] >= 0).mean() > 0.9
    wider = roots._replace(amplitudes=np.maximum(roots.amplitudes, 14).astype(np.float32))
    assert (run(wider, around, to_sequences(patterns, around), wide)[0] >= 0).mean() < 0.1


def test_a_collision_on_one_channel_does_not_lose_the_spike():
    roots, around, _ = make_roots([4.0], [0.8], [25], n_spikes=100)
    patterns, _ = learned(roots, around)
    hit = roots.amplitudes.copy()
    hit[:, 5] += 8.0
    found = run(roots._replace(amplitudes=hit), around, to_sequences(patterns, around), LIMITS)[0]
    assert (found >= 0).mean() > 0.9
