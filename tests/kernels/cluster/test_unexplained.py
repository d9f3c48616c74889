"""The unexplained share: zero for noise, the share of a varying waveform, and at least that of most units."""

from __future__ import annotations

import numpy as np

from xephys.kernels.cluster.unexplained import UNEXPLAINED_MIN, unexplained_shares


def spikes(n, *, change=0.0, noise=1.0, seed=0):
    """Projections on three channels and two components; the change is orthogonal to the mean."""
    rng = np.random.default_rng(seed)
    projection = noise * rng.standard_normal((n, 3, 2))
    projection[:, 0, 0] += 100.0
    projection[:, 1, 1] += 100.0 * change * rng.choice([-1, 1], n)
    return projection.astype(np.float32)


def test_noise_is_not_counted():
    share = unexplained_shares(spikes(900), np.zeros(900, int), np.zeros(900, np.int32), noise=1.0)
    assert share.tolist() == [UNEXPLAINED_MIN]


def test_a_change_orthogonal_to_the_mean_is_the_share():
    share = unexplained_shares(spikes(900, change=0.3), np.zeros(900, int), np.zeros(900, np.int32), noise=1.0)
    assert abs(share[0] - 0.09) < 0.02


def test_only_spikes_on_the_common_channel_count():
    projection = np.concatenate([spikes(900), spikes(90, change=2.0)])
    channel = np.repeat([4, 5], [900, 90])
    share = unexplained_shares(projection, channel, np.zeros(990, np.int32), noise=1.0)
    assert share.tolist() == [UNEXPLAINED_MIN]


def test_no_unit_is_below_the_ninth_decile():
    parts = [spikes(200, change=0.4, seed=k) for k in range(4)] + [spikes(200, seed=9)]
    labels = np.repeat(np.arange(5), 200).astype(np.int32)
    shares = unexplained_shares(np.concatenate(parts), np.zeros(1000, int), labels, noise=1.0)
    assert shares[4] >= np.sort(shares)[0] > 0.1


def test_no_units():
    nothing = np.zeros(0, int)
    assert unexplained_shares(np.zeros((0, 3, 2), np.float32), nothing, nothing.astype(np.int32), noise=1.0).size == 0
