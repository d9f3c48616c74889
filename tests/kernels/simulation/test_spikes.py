"""The kernels of spikes equal plain float64 code that follows the formulas of the docstrings."""

import numpy as np
import pytest

from xephys.kernels.simulation.spikes import UnitBank, add_spikes, fatigue, keep_refractory, rest_templates

CHANNELS = np.array([[0.0, 0.0], [30.0, 10.0], [0.0, 40.0], [25.0, 90.0], [0.0, 400.0]])


def make_bank(n_units=3, seed=0):
    rng = np.random.default_rng(seed)
    n_table, nbefore, oversampling = 481, 20.0, 8.0
    t = np.arange(n_table) / oversampling - nbefore
    table = np.stack([-np.exp(-0.5 * (t / w) ** 2) + 0.3 * np.exp(-0.5 * ((t - 12) / 5) ** 2) for w in (2.0, 3.0, 4.0)])
    table[:, [0, -1]] = 0
    angle = rng.uniform(0, 2 * np.pi, n_units)
    return UnitBank(
        position=rng.uniform([-10, 0], [40, 80], (n_units, 2)),
        axis=np.stack([np.cos(angle), np.sin(angle)], axis=1),
        elongation=rng.uniform(1, 2, n_units),
        exponent=rng.uniform(1.5, 2.5, n_units),
        radius=np.array([200.0, 120.0, 90.0])[:n_units],
        trough=rng.uniform(0, 2, n_units),
        gain=np.stack([rng.uniform(50, 200, n_units), rng.uniform(-30, 30, n_units)], axis=1),
        offset=rng.uniform(0, 50, (n_units, 2)),
        length=rng.uniform(20, 50, (n_units, 2)),
        spread=rng.uniform(0, 0.02, (n_units, 2)),
        propagation=rng.uniform(0, 0.06, (n_units, 2)),
        shape=rng.integers(0, 3, (n_units, 2)),
        waveforms=table.astype(np.float32),
        nbefore=nbefore,
        oversampling=oversampling,
    )


def reference(n_samples, start, time, unit, scale, stretch, displacement, bank, channel_xy, channel_shift):
    out = np.zeros((n_samples, len(channel_xy)))
    table_time = np.arange(bank.waveforms.shape[1]) / bank.oversampling - bank.nbefore
    for t, u, a, w, d in zip(time, unit, scale, stretch, displacement, strict=True):
        for c, xy in enumerate(channel_xy):
            offset = xy - bank.position[u] - [0, d]
            distance = np.hypot(*offset)
            radius = bank.radius[u]
            if distance >= radius:
                continue
            fade = 1.0 if distance <= 0.6 * radius else np.cos(np.pi / 2 * (distance / radius - 0.6) / 0.4) ** 2
            along, across = offset @ bank.axis[u], offset[0] * bank.axis[u, 1] - offset[1] * bank.axis[u, 0]
            for k in range(2):
                q = (((along - bank.offset[u, k]) / bank.elongation[u]) ** 2 + across**2) / bank.length[u, k] ** 2
                gain = a * fade * bank.gain[u, k] * (1 + q) ** (-bank.exponent[u] / 2)
                delay = bank.spread[u, k] * distance + bank.propagation[u, k] * max(0, along)
                at = start + np.arange(n_samples) + channel_shift[c] - (t - bank.trough[u]) - delay
                row = bank.waveforms[bank.shape[u, k]].astype(float)
                out[:, c] += gain * np.interp(at / w, table_time, row, left=0, right=0)
    return out


def spikes(n=40, seed=1):
    rng = np.random.default_rng(seed)
    return (
        np.sort(rng.uniform(950, 1450, n)), rng.integers(0, 3, n), rng.uniform(0.5, 1.5, n).astype("f4"),
        rng.uniform(1, 1.4, n).astype("f4"), rng.normal(0, 10, n).astype("f4"),
    )  # fmt: skip


def test_add_spikes_follows_the_formula():
    shift = np.array([0.0, 0.3, 0.5, 0.9, 0.1])
    traces = np.zeros((400, 5), np.float32)
    add_spikes(traces, 1000, *spikes(), make_bank(), CHANNELS, shift)
    expected = reference(400, 1000, *spikes(), make_bank(), CHANNELS, shift)
    assert np.abs(expected).max() > 100
    np.testing.assert_allclose(traces, expected, atol=2e-3)
    assert not traces[:, 4].any(), "a contact beyond every radius sees nothing"


def test_spikes_across_a_cut_are_whole():
    whole = np.zeros((400, 5), np.float32)
    shift = np.zeros(5)
    add_spikes(whole, 1000, *spikes(), make_bank(), CHANNELS, shift)
    parts = np.zeros((400, 5), np.float32)
    for lo, hi in ((0, 137), (137, 138), (138, 400)):
        add_spikes(parts[lo:hi], 1000 + lo, *spikes(), make_bank(), CHANNELS, shift)
    np.testing.assert_allclose(parts, whole, atol=2e-3)


def test_a_channel_sampled_late_sees_the_same_spike_earlier():
    bank, one, zero = make_bank(), np.ones(1, "f4"), np.zeros(1, "f4")
    late, moved = np.zeros((200, 5), np.float32), np.zeros((200, 5), np.float32)
    add_spikes(late, 0, np.array([100.0]), np.array([0]), one, one, zero, bank, CHANNELS, np.full(5, 0.25))
    add_spikes(moved, 0, np.array([99.75]), np.array([0]), one, one, zero, bank, CHANNELS, np.zeros(5))
    np.testing.assert_allclose(late, moved, atol=1e-3)


def test_displaced_tissue_is_a_displaced_probe():
    bank, one = make_bank(), np.ones(1, "f4")
    a, b = np.zeros((200, 5), np.float32), np.zeros((200, 5), np.float32)
    spike = np.array([100.0]), np.array([1]), one, one
    add_spikes(a, 0, *spike, np.full(1, 17.0, "f4"), bank, CHANNELS, np.zeros(5))
    add_spikes(b, 0, *spike, np.zeros(1, "f4"), bank, CHANNELS - [0, 17.0], np.zeros(5))
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_templates_at_rest_are_single_spikes():
    bank = make_bank()
    templates = rest_templates(bank, CHANNELS, nbefore=30, nafter=60, phase=0.5)
    args = np.array([30.5]), np.array([2]), np.ones(1), np.ones(1), np.zeros(1)
    np.testing.assert_allclose(templates[2], reference(90, 0, *args, bank, CHANNELS, np.zeros(5)), atol=1e-3)


@pytest.mark.parametrize("refractory", [0.0, 1.0, 2.5])
def test_only_spikes_after_the_refractory_period_are_kept(refractory):
    time = np.sort(np.random.default_rng(0).uniform(0, 100, 80))
    kept: list[float] = []
    for t in time:
        if not kept or t - kept[-1] >= refractory:
            kept.append(t)
    np.testing.assert_array_equal(time[keep_refractory(time, refractory)], kept)


def test_fatigue_grows_in_bursts_and_recovers():
    tired = fatigue(np.array([0.0, 0.004, 0.008, 0.012, 10.0]), 0.5, 0.02)
    assert tired[0] == 0
    assert tired[1] == pytest.approx(0.5 * np.exp(-0.2), rel=1e-6)
    assert np.all(np.diff(tired[:4]) > 0) and tired.max() < 1
    assert tired[4] < 1e-6
