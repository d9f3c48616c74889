"""Networks against plain loops over their layers."""

from __future__ import annotations

import numpy as np

from xephys.kernels.features.networks import denoise_channels, denoise_single_channel

RNG = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.3, shape).astype(np.float32)


def test_convolutions_and_a_linear_layer() -> None:
    weights = {
        "conv1.0.weight": weight(4, 1, 5),
        "conv1.0.bias": weight(4),
        "conv2.0.weight": weight(3, 4, 7),
        "conv2.0.bias": weight(3),
        "out.weight": weight(21, 3 * 11),
        "out.bias": weight(21),
    }
    snippets = RNG.standard_normal((300, 21)).astype(np.float32)
    found = denoise_single_channel(snippets, weights)
    for i in (0, 255, 256, 299):
        first = np.array(
            [
                np.correlate(snippets[i], weights["conv1.0.weight"][o, 0], "valid") + weights["conv1.0.bias"][o]
                for o in range(4)
            ]
        ).clip(0)
        second = np.array(
            [
                sum(np.correlate(first[k], weights["conv2.0.weight"][o, k], "valid") for k in range(4))
                + weights["conv2.0.bias"][o]
                for o in range(3)
            ]
        ).clip(0)
        expected = weights["out.weight"] @ second.ravel() + weights["out.bias"]
        np.testing.assert_allclose(found[i], expected, rtol=1e-4, atol=1e-5)


def test_hidden_layers_and_gates_on_present_channels() -> None:
    n_samples, n_slots, hidden = 6, 3, 10
    weights = {
        "hidden1.weight": weight(hidden, (n_samples + 1) * n_slots),
        "hidden1.bias": weight(hidden),
        "slope1": np.array([0.25], np.float32),
        "hidden2.weight": weight(hidden, hidden),
        "hidden2.bias": weight(hidden),
        "slope2": np.array([0.1], np.float32),
        "out.weight": weight(2 * n_samples * n_slots, hidden),
        "out.bias": weight(2 * n_samples * n_slots),
    }
    snippets = RNG.standard_normal((5, n_samples, n_slots)).astype(np.float32)
    present = np.array([[True, True, True], [True, False, True]] * 2 + [[True, True, False]])
    snippets *= present[:, None, :]
    found = denoise_channels(snippets, present, weights)
    for y, slots, own in zip(snippets, present, found, strict=True):
        scale = abs(y).max()
        x = np.vstack([y / scale, slots]).ravel()
        for layer, slope in (("1", 0.25), ("2", 0.1)):
            x = weights[f"hidden{layer}.weight"] @ x + weights[f"hidden{layer}.bias"]
            x = np.where(x > 0, x, slope * x)
        out = weights["out.weight"] @ x + weights["out.bias"]
        gated = out[: out.size // 2] / (1 + np.exp(-out[out.size // 2 :]))
        np.testing.assert_allclose(own, gated.reshape(y.shape) * scale * slots, rtol=1e-4, atol=1e-5)
        assert not own[:, ~slots].any()
    np.testing.assert_allclose(denoise_channels(10 * snippets, present, weights), 10 * found, rtol=1e-4)
