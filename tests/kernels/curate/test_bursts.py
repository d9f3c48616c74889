"""Late spikes of bursts are joined with their neuron; a neuron that often fires after another is not."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.curate.bursts import find_burst_pieces, share_in_bursts_of, stretched_likeness
from xephys.kernels.curate.merge import merge_candidates

N_BEFORE, N_SAMPLES, N_CHANNELS = 20, 60, 6
LIMITS = {"nbefore": N_BEFORE, "window_samples": 600, "refractory_samples": 45}
CHANNELS = np.tile(np.arange(N_CHANNELS, dtype=np.int32), (2, 1))


def spike(width, size, place=2.0):
    time = np.arange(N_SAMPLES)[:, None] - N_BEFORE
    course = -np.exp(-0.5 * (time / width) ** 2) + 0.4 * np.exp(-0.5 * ((time - 3 * width) / (1.5 * width)) ** 2)
    return (size * course * np.exp(-0.5 * ((np.arange(N_CHANNELS) - place) / 1.2) ** 2)).astype(np.float32)


def bursts(seed, n=400):
    """The first spikes of bursts, and two later spikes of each."""
    rng = np.random.default_rng(seed)
    first = np.sort(rng.choice(1000, n, replace=False)) * 9000 + 1000
    second = first + rng.integers(90, 200, n)
    return first, np.sort(np.concatenate([second, second + rng.integers(100, 250, n)]))


def found(waveforms, trains):
    pairs = merge_candidates(np.stack(waveforms), CHANNELS)
    return find_burst_pieces(pairs, np.stack(waveforms), CHANNELS, trains, **LIMITS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("turned", [False, True])
def test_smaller_wider_spikes_that_follow_belong_to_the_same_neuron(seed, turned):
    waveforms, trains = [spike(3.0, 20), spike(4.8, 8)], list(bursts(seed))
    if turned:
        waveforms, trains = waveforms[::-1], trains[::-1]
    pieces = found(waveforms, trains)
    assert pieces[["unit", "piece_of"]].tolist() == [(0, 1) if turned else (1, 0)]
    assert pieces["stretch"][0] == pytest.approx(1.6, abs=0.15)
    assert (pieces["follow"][0] > 0.99, pieces["precede"][0] < 0.05) == (True, True)


def test_the_lag_aligns_the_two():
    late = np.roll(spike(4.8, 8), 5, axis=0)
    first, second = bursts(0)
    piece = found([spike(3.0, 20), late], [first, second - 5])[0]
    assert piece["lag"] == pytest.approx(5, abs=1)


def test_spikes_without_a_leading_spike_belong_to_another_neuron():
    first, _ = bursts(0)
    alone = np.sort(np.random.default_rng(9).choice(9_000_000, 800, replace=False))
    assert not len(found([spike(3.0, 20), spike(4.8, 8)], [first, alone]))


@pytest.mark.parametrize("seed", range(3))
def test_a_smaller_neuron_that_bursts_by_itself_is_another(seed):
    own = np.sort(np.concatenate(bursts(seed)))
    other = np.sort(np.random.default_rng(seed).choice(9_000_000, 400, replace=False))
    assert not len(found([spike(3.0, 20), spike(4.8, 8)], [other, own]))


def test_a_spike_is_in_the_burst_of_the_last_start_before_it():
    rng = np.random.default_rng(4)
    starts, samples = (np.sort(rng.choice(60_000, n, replace=False)) for n in (200, 500))
    expected = 0
    for sample in samples:
        earlier = [t for t in [*starts, *samples] if t < sample]
        time = sample
        while time not in starts and any(0 < time - t <= 100 for t in earlier):
            time = max(t for t in earlier if t < time)
        expected += time in starts and time < sample and sample - time >= 20
    share = share_in_bursts_of(samples, starts, interval_min=20, interval_max=100)
    assert 0.2 < share < 0.9
    assert share == pytest.approx(expected / len(samples), abs=1e-12)


def test_smaller_spikes_that_come_first_belong_to_another_neuron():
    first, second = bursts(0)
    assert not len(found([spike(3.0, 20), spike(4.8, 8)], [second, first]))


def test_simultaneous_spikes_belong_to_another_neuron():
    first, second = bursts(0)
    together = np.sort(np.concatenate([second, first[::4] + 30]))
    assert not len(found([spike(3.0, 20), spike(4.8, 8)], [first, together]))


def test_a_following_neuron_elsewhere_is_another():
    first, second = bursts(0)
    assert not len(found([spike(3.0, 20), spike(4.8, 8, place=3.6)], [first, second]))


def test_a_unit_without_spikes_is_no_piece():
    first, _ = bursts(0)
    assert not len(found([spike(3.0, 20), spike(4.8, 8)], [first, first[:0]]))


def test_equal_waveforms_have_a_similarity_of_one():
    likeness, stretch = stretched_likeness(spike(3.0, 20), spike(3.0, 5), nbefore=N_BEFORE)
    assert (likeness, stretch) == (pytest.approx(1), pytest.approx(1))
    assert stretched_likeness(-spike(3.0, 20), spike(3.0, 5), nbefore=N_BEFORE)[0] < 0.9
