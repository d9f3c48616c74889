"""The sparse low-rank form of templates: its error, its signs, and which channels and ranks are kept."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.templates.low_rank import low_rank_templates, select_channels, without_weak_ranks


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_low_rank_error_is_that_of_the_svd(rank: int) -> None:
    templates = np.random.default_rng(1).standard_normal((3, 20, 9))
    temporal, spatial = low_rank_templates(templates, rank=rank)
    error = np.square(templates - np.einsum("urt,urk->utk", temporal, spatial)).sum(axis=(1, 2))
    left_out = np.array([np.square(np.linalg.svd(one)[1][rank:]).sum() for one in templates])
    np.testing.assert_allclose(error, left_out, rtol=1e-5)


def test_low_rank_is_exact_at_full_rank_and_signs_are_fixed() -> None:
    templates = np.random.default_rng(2).standard_normal((4, 15, 5))
    temporal, spatial = low_rank_templates(templates, rank=9)
    assert temporal.shape == (4, 5, 15)
    np.testing.assert_allclose(np.einsum("urt,urk->utk", temporal, spatial), templates, atol=1e-5)
    largest = np.take_along_axis(spatial, np.abs(spatial).argmax(axis=2)[:, :, None], axis=2)
    assert (largest > 0).all()
    flipped_temporal, flipped_spatial = low_rank_templates(-templates, rank=9)
    np.testing.assert_allclose(flipped_spatial, spatial, atol=1e-5)
    np.testing.assert_allclose(flipped_temporal, -temporal, atol=1e-5)


def test_weak_ranks_are_dropped_and_the_rest_explains_as_much() -> None:
    rng = np.random.default_rng(3)
    shapes = np.linalg.qr(rng.standard_normal((40, 3)))[0].T
    patterns = np.linalg.qr(rng.standard_normal((12, 3)))[0].T
    # Of the singular values 30, 4 and 0.5, the last changes the gain of a spike by a quarter of the noise variance.
    template = np.einsum("r,rt,rk->tk", [30.0, 4.0, 0.5], shapes, patterns)
    noisy = template + rng.standard_normal((40, 12)) / np.sqrt(1000)
    few = np.einsum("r,rt,rk->tk", [30.0, 0.0, 0.0], shapes, patterns) + rng.standard_normal((40, 12)) / np.sqrt(20)
    temporal, spatial = low_rank_templates(np.stack([noisy, few]), rank=5)
    short, weights = without_weak_ranks(temporal, spatial, counts=np.array([1000, 20]))
    assert short.shape[1] == weights.shape[1] == 2
    assert weights[0].any(axis=1).tolist() == [True, True]
    assert weights[1].any(axis=1).tolist() == [True, False], "a second rank of 20 spikes is averaged noise"
    np.testing.assert_array_equal(weights[0], spatial[0, :2])
    rebuilt = np.einsum("rt,rk->tk", short[0], weights[0])
    assert ((rebuilt - template) ** 2).sum() < ((noisy - template) ** 2).sum(), "what went was mostly noise"


def test_the_first_rank_stays() -> None:
    temporal, spatial = low_rank_templates(np.full((1, 4, 2), 1e-3), rank=2)
    assert without_weak_ranks(temporal, spatial, counts=np.array([1]))[1][0, 0].any()


def test_rank_must_be_positive() -> None:
    with pytest.raises(ValueError, match="rank is 0"):
        low_rank_templates(np.ones((1, 4, 2)), rank=0)


def test_few_spikes_keep_fewer_channels() -> None:
    """Channels with averaged noise alone are dropped, whether 10 or 10000 spikes were averaged."""
    rng = np.random.default_rng(3)
    clean = np.zeros((2, 60, 16))
    clean[:, 20:30, :4] = -8.0
    counts = np.array([10, 10000])
    noisy = clean + rng.standard_normal(clean.shape) / np.sqrt(counts)[:, None, None]
    channels = np.broadcast_to(np.arange(16, dtype=np.int32), (2, 16))
    _, slots = select_channels(noisy, channels=channels, n_channels_max=16, counts=counts)
    for row in slots:
        assert sorted(row[row >= 0].tolist()) == [0, 1, 2, 3]


def test_empty_template_sets_pass_through() -> None:
    none, no_slots = np.zeros((0, 10, 4)), np.zeros((0, 4), np.int32)
    assert low_rank_templates(none, rank=3)[0].shape == (0, 3, 10)
    assert select_channels(none, channels=no_slots, n_channels_max=2)[0].shape == (0, 10, 2)


def test_a_silent_template_keeps_no_channel() -> None:
    channels = np.array([[4, 5, -1]], np.int32)
    assert (select_channels(np.zeros((1, 10, 3)), channels=channels, n_channels_max=3)[1] == -1).all()
