"""Weights: files that come back with their hash, damaged ones, and the published weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys import ParameterError
from xephys.dartsort import Decollider, SingleChannelWaveformDenoiser

RNG = np.random.default_rng(0)
SHAPES = [(16, 1, 5), (16,), (8, 16, 11), (8,), (121, 856), (121,)]


def single() -> SingleChannelWaveformDenoiser:
    names = SingleChannelWaveformDenoiser.NAMES
    rng = np.random.default_rng(1)
    return SingleChannelWaveformDenoiser({n: rng.normal(0, 0.1, s) for n, s in zip(names, SHAPES, strict=True)})


def test_files_come_back_with_the_same_results(tmp_path: Path) -> None:
    network = single()
    network.save(tmp_path / "a.npz")
    back = SingleChannelWaveformDenoiser.load(tmp_path / "a.npz")
    snippets = RNG.standard_normal((3, 4, 121))
    assert back.hash == network.hash and len(network.hash) == 64
    np.testing.assert_array_equal(back.denoise(snippets), network.denoise(snippets))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    network = single()
    changed = {**network.weights, "out.bias": network.weights["out.bias"] + 1}
    np.savez(tmp_path / "a.npz", **changed, sha256=np.array(network.hash))
    with pytest.raises(ParameterError, match="do not match their hash"):
        SingleChannelWaveformDenoiser.load(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK")
    with pytest.raises(ParameterError, match="holds no weights"):
        SingleChannelWaveformDenoiser.load(tmp_path / "b.npz")
    with pytest.raises(ParameterError, match=r"of a Decollider have no hidden1.weight"):
        Decollider(network.weights)
    with pytest.raises(ParameterError, match=r"out.bias of the weights is not finite"):
        SingleChannelWaveformDenoiser({**network.weights, "out.bias": np.full(121, np.nan)})
    with pytest.raises(ParameterError, match=r"the shape \(2, 61\) and the network takes 121 samples"):
        network.denoise(np.zeros((2, 61)))
    with pytest.raises(ParameterError, match="snippets are <U"):
        network.denoise(["a"])
    for nothing in (tmp_path, tmp_path / "c.npz", tmp_path / "c.pt"):
        with pytest.raises(ParameterError, match="is not a file; give the path of weights"):
            SingleChannelWaveformDenoiser.load(nothing)


def test_damage_that_a_hash_does_not_see_is_refused(tmp_path: Path) -> None:
    network = single()
    network.save(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    spoiled = bytearray(whole)
    spoiled[len(whole) // 2] ^= 255
    for name, content in {"spoiled": bytes(spoiled), "short": whole[:-200], "empty": b""}.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(ParameterError, match=f"{name}.npz holds no weights: .*copy the file again"):
            SingleChannelWaveformDenoiser.load(tmp_path / f"{name}.npz")
    for name, values in {
        "out.weight": np.zeros((121, 855)),
        "conv1.0.bias": np.zeros(15),
        "out.bias": np.zeros(120),
        "conv2.0.weight": np.zeros(11),
        "conv1.0.weight": np.zeros(()),
    }.items():
        np.savez(tmp_path / "b.npz", **{**network.weights, name: values})  # without a hash, as published ones
        with pytest.raises(ParameterError, match=r"do not fit each other: .*; give the weights of one network"):
            SingleChannelWaveformDenoiser.load(tmp_path / "b.npz")


def test_weights_of_a_decollider_have_to_fit() -> None:
    shapes = [(6, 8), (6,), (1,), (5, 6), (5,), (1,), (12, 5), (12,)]
    weights = {name: np.zeros(shape) for name, shape in zip(Decollider.NAMES, shapes, strict=True)}
    assert Decollider(weights).denoise(np.ones((2, 3, 2))).shape == (2, 3, 2)
    with pytest.raises(ParameterError, match=r"do not fit each other: hidden2.weight \(5, 7\)"):
        Decollider({**weights, "hidden2.weight": np.zeros((5, 7))})


def test_published_weights_are_read_and_denoise(shared_data: Path) -> None:
    network = SingleChannelWaveformDenoiser.load(shared_data / "pretrained_nets" / "dartsort_single_chan_denoiser.npz")
    t = np.arange(121) - 42
    spike = -8 * np.exp(-(t**2) / 30) + 3 * np.exp(-((t - 12) ** 2) / 100)
    noisy = spike + RNG.standard_normal((200, 121))
    assert np.square(network.denoise(noisy) - spike).mean() < 0.5 * np.square(noisy - spike).mean()
