"""One snippet in the inner loop of subtraction: denoise it, find its extremum, subtract it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import helper

__all__ = ["REALIGN_SAMPLES", "denoise_snippet", "peak_shift", "take_snippet"]

#: A channel is kept if its energy exceeds that of noise by this factor; larger ones are shrunk by as much.
SHRINKAGE = np.float32(2.0)
#: The largest shift of an event to the extremum of its denoised waveform, in samples.
REALIGN_SAMPLES = 5


@helper
def denoise_snippet(
    residual: NDArray[np.float32],
    first: int,
    slots: NDArray[np.int32],
    components: NDArray[np.float32],
    weights: NDArray[np.float32],
    noise: NDArray[np.float32],
    coefficients: NDArray[np.float32],
) -> float:
    """Write the denoised coefficients of one snippet, and return the energy that subtracting it would remove.

    On each channel, components are weighted by their share of signal, and the channel is shrunk by the share of its
    energy that noise would have: positive-part James–Stein shrinkage.
    """
    n_samples, n_components = components.shape
    expected = np.float32(0.0)
    for k in range(n_components):
        expected += weights[k] * noise[k]
    coefficients[:] = 0.0
    for t in range(n_samples):
        for j in range(slots.size):
            if slots[j] >= 0:
                value = residual[first + t, slots[j]]
                for k in range(n_components):
                    coefficients[j, k] += value * components[t, k]
    gain = 0.0
    for j in range(slots.size):
        energy = np.float32(0.0)
        for k in range(n_components):
            energy += weights[k] * coefficients[j, k] * coefficients[j, k]
        kept = np.float32(1.0) - SHRINKAGE * expected / energy if energy > SHRINKAGE * expected else np.float32(0.0)
        for k in range(n_components):
            seen, factor = coefficients[j, k], kept * weights[k]
            gain += np.float64((np.float32(2.0) * factor - factor * factor) * seen * seen)
            coefficients[j, k] = factor * seen
    return gain


@helper
def peak_shift(
    coefficients: NDArray[np.float32], components: NDArray[np.float32], nbefore: int, trough_priority: float
) -> int:
    """Samples from the detected peak to the extremum of the denoised waveform; the nearer of equal ones."""
    best, shift = -1.0, 0
    for distance in range(REALIGN_SAMPLES + 1):
        for sign in (-1, 1):
            t = nbefore + sign * distance
            if t < 0 or t >= len(components):
                continue
            value = 0.0
            for k in range(coefficients.size):
                value += coefficients[k] * components[t, k]
            size = -trough_priority * value if value < 0 else value
            if size > best:
                best, shift = size, sign * distance
    return shift


@helper
def take_snippet(
    residual: NDArray[np.float32],
    first: int,
    slots: NDArray[np.int32],
    components: NDArray[np.float32],
    coefficients: NDArray[np.float32],
) -> None:
    """Subtract one denoised snippet."""
    for t in range(len(components)):
        for j in range(slots.size):
            if slots[j] >= 0:
                value = np.float32(0.0)
                for k in range(components.shape[1]):
                    value += coefficients[j, k] * components[t, k]
                residual[first + t, slots[j]] -= value
