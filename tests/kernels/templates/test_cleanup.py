"""Means of features as waveforms, aligned to the best-fitting shape, with near duplicates merged."""

from __future__ import annotations

import numpy as np

from xephys.kernels.templates.cleanup import merge_duplicates, moved_templates, slots_of_means, template_delays

N_SAMPLES, NBEFORE = 31, 10


def shape(width=2.0, delay=0):
    time = np.arange(N_SAMPLES) - NBEFORE - delay
    made = -np.exp(-0.5 * (time / width) ** 2) + 0.3 * np.exp(-0.5 * ((time - 7) / 4) ** 2)
    return made / np.linalg.norm(made)


def template(*amplitudes, delay=0, width=2.0):
    return (shape(width, delay)[:, None] * np.array(amplitudes)).astype(np.float32)


def test_waveforms_are_the_means_in_the_basis():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((N_SAMPLES, 4)))[0].T
    means = rng.standard_normal((3, 5, 4))
    measured = np.array([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    waveforms, channels = slots_of_means(means, measured, basis)
    assert channels.tolist() == [[0, 2, 3, -1, -1], [1, -1, -1, -1, -1], [0, 1, 2, 3, 4]]
    for unit in range(3):
        for slot, channel in enumerate(channels[unit]):
            expected = means[unit, channel] @ basis if channel >= 0 else 0
            np.testing.assert_allclose(waveforms[unit, :, slot], np.broadcast_to(expected, N_SAMPLES), atol=1e-6)


def test_no_cluster_gives_no_template():
    waveforms, channels = slots_of_means(np.zeros((0, 5, 4)), np.zeros((0, 5), bool), np.zeros((4, N_SAMPLES)))
    assert waveforms.shape[0] == channels.shape[0] == 0


def test_delays_are_found_and_removed():
    delays = [-4, 0, 3]
    late = np.stack([template(2.0, -5.0, 1.0, delay=d) for d in delays])
    found = template_delays(late, np.stack([shape(), shape(4.0)]).astype("f4"), nbefore=NBEFORE, delay_samples_max=6)
    assert found.tolist() == delays
    moved = moved_templates(late, found)
    inner = slice(5, -5)
    np.testing.assert_allclose(moved[:, inner], np.stack([late[1]] * 3)[:, inner], atol=1e-2)


def test_near_duplicates_become_their_weighted_mean():
    waveforms = np.stack([template(5, 2), template(5.4, 2.1, delay=2), template(5, 2, width=6.0), template(9, 4)])
    channels = np.array([[3, 4], [3, 4], [3, 4], [3, 4]], np.int32)
    merged, slots, target = merge_duplicates(waveforms, channels, np.array([300, 100, 50, 80]), lag_samples_max=6)
    # The second is the first, delayed by two samples; the third has another shape, the fourth another size.
    assert target.tolist() == [0, 0, 1, 2]
    expected = (300 * template(5, 2) + 100 * template(5.4, 2.1)) / 400
    np.testing.assert_allclose(merged[0][4:-4], expected[4:-4], atol=2e-2)
    assert slots[0].tolist() == [3, 4]


def test_channels_of_merged_templates_are_joined():
    waveforms = np.stack([template(5, 0.5), template(5, 0.5)])
    merged, slots, target = merge_duplicates(
        waveforms, np.array([[3, 4], [3, 7]], np.int32), np.array([10, 30]), lag_samples_max=3
    )
    assert target.tolist() == [0, 0]
    assert slots[0].tolist() == [3, 4, 7]
    np.testing.assert_allclose(merged[0], template(5, 0.5, 0.5), atol=1e-6)


def test_one_template_and_no_template():
    for n in (0, 1):
        merged, slots, target = merge_duplicates(
            np.stack([template(5, 2)] * 1)[:n],
            np.array([[3, 4]], np.int32)[:n],
            np.ones(n, np.int64),
            lag_samples_max=3,
        )
        assert (len(merged), len(slots), target.tolist()) == (n, n, [0] * n)
