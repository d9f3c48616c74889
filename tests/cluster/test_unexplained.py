"""The share of spikes that templates leave unexplained: not noise or amplitudes, but waveforms that change."""

from __future__ import annotations

import numpy as np
import pytest

from xephys import ParameterError
from xephys.cluster.unexplained import estimate_unexplained
from xephys.kernels.cluster.unexplained import UNEXPLAINED_MIN

NOISE = 1.5
N_SPIKES = 300


def spikes_of(*, n_units=10, changing=(), amplitude_std=0.0, seed=0):
    """Spikes of norm 30 on the first three of four channels; in ``changing`` units a quarter of the energy varies."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_units, dtype=np.int32), N_SPIKES)
    spikes = np.zeros(labels.size, [("channel_index", "i8"), ("projection", "f4", (4, 2))])
    amplitude = 30 * (1 + amplitude_std * rng.standard_normal(labels.size))
    projection = NOISE * rng.standard_normal((labels.size, 3, 2))
    projection[:, 0, 0] += amplitude
    projection[:, 1, 1] += np.where(np.isin(labels, changing), 15 * rng.choice([-1, 1], labels.size), 0)
    spikes["projection"][:, :3] = projection
    order = rng.permutation(labels.size)
    return spikes[order], labels[order]


@pytest.mark.parametrize("amplitude_std", [0.0, 0.2])
def test_noise_and_amplitudes_leave_nothing_unexplained(amplitude_std):
    spikes, labels = spikes_of(amplitude_std=amplitude_std)
    share = estimate_unexplained(spikes, labels, feature_noise=NOISE)
    assert share.shape == (10,) and share.dtype == np.float64
    assert (share >= UNEXPLAINED_MIN).all() and (share < 2 * UNEXPLAINED_MIN).all()


def test_the_varying_share_of_a_waveform_is_unexplained():
    spikes, labels = spikes_of(n_units=2, changing=(0, 1))
    assert (np.abs(estimate_unexplained(spikes, labels, feature_noise=NOISE) - 0.29) < 0.05).all()


def test_a_single_unit_among_many_does_not_affect_the_others():
    spikes, labels = spikes_of(n_units=20, changing=(3,))
    share = estimate_unexplained(spikes, labels, feature_noise=NOISE)
    assert share[3] > 0.2 and np.delete(share, 3).max() < 0.02


def test_what_several_units_leave_raises_the_level_of_all():
    spikes, labels = spikes_of(changing=(3, 7))
    assert estimate_unexplained(spikes, labels, feature_noise=NOISE).min() > 0.2


def test_spikes_of_no_unit_do_not_count():
    spikes, labels = spikes_of(changing=(8, 9))
    fewer = np.where(labels < 8, labels, -1).astype(np.int32)
    assert estimate_unexplained(spikes, fewer, feature_noise=NOISE).max() < 0.02
    assert estimate_unexplained(spikes, np.full_like(labels, -1), feature_noise=NOISE).size == 0


def test_noise_must_be_positive():
    with pytest.raises(ParameterError, match=r"feature_noise is 0\.0; it must be greater than 0"):
        estimate_unexplained(*spikes_of(n_units=1), feature_noise=0.0)
