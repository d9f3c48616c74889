"""Apply denoising networks with given weights. NumPy only: a network is trained elsewhere, and gives the same here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]

#: Snippets that are denoised at once: the intermediate arrays of more would leave the cache.
_BATCH = 256


def denoise_single_channel(snippets: NDArray[np.float32], weights: Weights) -> NDArray[np.float32]:
    """Denoise snippets of one channel by two convolutions and a linear layer.

    Parameters
    ----------
    snippets : float32 (n, sample)
    weights : mapping
        ``conv1.0.weight (filter, 1, k)``, ``conv2.0.weight (filter, filter, k)``, ``out.weight (sample, feature)`` and
        a ``bias`` of each.

    Returns
    -------
    float32 (n, sample)

    Examples
    --------
    >>> weights = {"conv1.0.weight": np.ones((1, 1, 1), "f4"), "conv1.0.bias": np.zeros(1, "f4"),
    ...            "conv2.0.weight": np.ones((1, 1, 1), "f4"), "conv2.0.bias": np.zeros(1, "f4"),
    ...            "out.weight": np.eye(3, dtype="f4"), "out.bias": np.zeros(3, "f4")}
    >>> denoise_single_channel(np.array([[1, -2, 3]], "f4"), weights)
    array([[1., 0., 3.]], dtype=float32)
    """
    denoised = np.empty_like(snippets)
    for first in range(0, len(snippets), _BATCH):
        part = snippets[first : first + _BATCH, None, :]
        hidden = _convolved(part, weights["conv1.0.weight"], weights["conv1.0.bias"])
        hidden = _convolved(hidden, weights["conv2.0.weight"], weights["conv2.0.bias"])
        flat = hidden.reshape(len(part), -1)
        denoised[first : first + _BATCH] = flat @ weights["out.weight"].T + weights["out.bias"]
    return denoised


def denoise_channels(
    snippets: NDArray[np.float32], present: NDArray[np.bool_], weights: Weights
) -> NDArray[np.float32]:
    """Denoise snippets of several channels by two hidden layers and a gated linear output.

    A snippet is divided by its largest absolute value, and the output is multiplied by it again.

    Parameters
    ----------
    snippets : float32 (n, sample, slot)
        Zero in slots without a channel.
    present : bool (n, slot)
        Which slots have a channel.
    weights : mapping
        ``hidden1``, ``hidden2`` and ``out``, each with ``.weight (out, in)`` and ``.bias``, and the slopes
        ``slope1 (1,)`` and ``slope2 (1,)`` of the two activations.

    Returns
    -------
    float32 (n, sample, slot)
        Zero in slots without a channel.

    Examples
    --------
    >>> eye = np.eye(2, 3, dtype="f4")
    >>> weights = {"hidden1.weight": eye, "hidden2.weight": np.eye(2, dtype="f4"), "slope1": np.ones(1, "f4"),
    ...            "slope2": np.ones(1, "f4"), "out.weight": np.vstack([np.eye(2), np.zeros((2, 2))]).astype("f4"),
    ...            "hidden1.bias": np.zeros(2, "f4"), "hidden2.bias": np.zeros(2, "f4"),
    ...            "out.bias": np.array([0, 0, 99, 99], "f4")}  # open gates
    >>> denoise_channels(np.array([[[4], [-8]]], "f4"), np.ones((1, 1), bool), weights).ravel()
    array([ 4., -8.], dtype=float32)
    """
    n, n_samples, n_slots = snippets.shape
    denoised = np.empty_like(snippets)
    for first in range(0, n, _BATCH):
        part, slots = snippets[first : first + _BATCH], present[first : first + _BATCH]
        scale = np.maximum(np.abs(part).max(axis=(1, 2), keepdims=True), np.float32(1e-6))
        rows = np.concatenate([part / scale, slots[:, None, :].astype(np.float32)], axis=1).reshape(len(part), -1)
        for layer in ("1", "2"):
            rows = rows @ weights[f"hidden{layer}.weight"].T + weights[f"hidden{layer}.bias"]
            rows = np.where(rows > 0, rows, weights[f"slope{layer}"] * rows)
        out, gates = np.split(rows @ weights["out.weight"].T + weights["out.bias"], 2, axis=1)
        gated = (out / (1 + np.exp(-gates))).reshape(len(part), n_samples, n_slots)
        denoised[first : first + _BATCH] = gated * scale * slots[:, None, :]
    return denoised


def _convolved(
    rows: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]
) -> NDArray[np.float32]:
    """A valid correlation over the last axis, and its positive part: (n, in, sample) to (n, out, sample - k + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, weight.shape[2], axis=2)
    summed = np.einsum("nitk,oik->not", windows, weight, optimize=True) + bias[:, None]
    positive: NDArray[np.float32] = np.maximum(summed, 0).astype(np.float32)
    return positive
