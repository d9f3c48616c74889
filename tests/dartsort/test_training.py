"""Training: nearer to the truth than the low-rank projection, the same for the same seed, and clear failures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xephys import ParameterError
from xephys.dartsort import train_decollider, train_single_channel

SAMPLES = np.arange(41) - 14


def shapes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Troughs of different widths, each followed by its own hump."""
    width, lag, hump = rng.uniform(2, 5, (n, 1)), rng.uniform(7, 14, (n, 1)), rng.uniform(0.2, 0.6, (n, 1))
    trough, after = np.exp(-((SAMPLES / width) ** 2)), np.exp(-(((SAMPLES - lag) / 5) ** 2))
    return (-trough + hump * after).astype(np.float32)


def noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    white = rng.standard_normal((*shape[:-1], shape[-1] + 2))
    return ((white[..., :-2] + white[..., 1:-1] + white[..., 2:]) / np.sqrt(3)).astype(np.float32)


def test_a_trained_network_beats_the_low_rank_projection_on_small_spikes() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    network = train_single_channel(shapes(400, rng), noise((2000, 41), rng), n_epochs_max=15, n_examples=6000)
    truth = shapes(1500, rng)
    truth *= rng.uniform(3, 6, (1500, 1)).astype("f4") / np.abs(truth).max(axis=1, keepdims=True)
    noisy = truth + noise(truth.shape, rng)
    basis = np.linalg.svd(shapes(400, rng), full_matrices=False)[2][:8]

    def error(denoised: Any) -> float:
        return float(np.square(denoised - truth).mean())

    assert error(noisy @ basis.T @ basis) < error(noisy)
    assert error(network.denoise(noisy)) < error(noisy @ basis.T @ basis)


def test_the_same_seed_gives_the_same_weights() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    clean, background = shapes(40, rng), noise((60, 41), rng)
    short = {"n_epochs_max": 2, "n_examples": 300}
    first, second = (train_single_channel(clean, background, **short) for _ in range(2))
    assert first.hash == second.hash
    assert train_single_channel(clean, background, **short, seed=3).hash != first.hash


def test_noise_can_be_told_from_signal_without_clean_snippets() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    truth = 6 * shapes(4000, rng)[:, :, None] * np.array([1.0, 0.6, 0.3], np.float32)
    added = np.moveaxis(noise((4000, 3, 41), rng), 1, 2)
    seen = truth + np.moveaxis(noise((4000, 3, 41), rng), 1, 2)
    network = train_decollider(seen, added, hidden=64, n_epochs_max=12, n_examples=5000, learning_rate=2e-3)
    assert np.square(network.denoise(seen) - truth).mean() < 0.7 * np.square(seen - truth).mean()


def test_what_cannot_be_trained_on_is_refused() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    clean, background = shapes(40, rng), noise((60, 41), rng)
    with pytest.raises(ParameterError, match="cut both alike"):
        train_single_channel(clean, background[:, 1:])
    with pytest.raises(ParameterError, match="2 snippets and 60 of noise are too few"):
        train_single_channel(clean[:2], background)
    with pytest.raises(ParameterError, match="some snippets are not finite"):
        train_single_channel(np.where(clean < -0.9, np.nan, clean), background)
    with pytest.raises(ParameterError, match=r"the error of the network is .* after epoch"):
        train_single_channel(clean, background, learning_rate=1e30, n_examples=300)
    for rate in (0.0, -1e-3, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="learning_rate"):
            train_single_channel(clean, background, learning_rate=rate)


def test_an_error_that_is_not_a_number_ends_the_training_of_either_network() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    clean, background = shapes(40, rng), noise((60, 41), rng)
    huge = np.float32(1e30)  # its square is not finite
    with pytest.raises(ParameterError, match=r"network is (nan|inf) after epoch 1; check the snippets"):
        train_single_channel(clean, huge * background, n_examples=300)
    seen = clean[:, :, None] + np.zeros(2, np.float32)
    with pytest.raises(ParameterError, match=r"network is (nan|inf) after epoch 1; check the snippets"):
        train_decollider(huge * seen, seen, hidden=8, n_examples=300)
