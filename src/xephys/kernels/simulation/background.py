"""Backgrounds of a simulated recording: slow fields, mains, artifacts, and the converter."""

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel


@kernel
def mix_modes(modes: NDArray[np.floating], loading: NDArray[np.float64]) -> NDArray[np.float32]:
    """Project spatial modes on channels: (time, mode) x (mode, channel) -> float32 (time, channel).

    A plain loop instead of BLAS, whose order of additions may change with the number of threads.
    """
    n, n_modes = modes.shape
    out = zeros((n, loading.shape[1]), np.float32)
    for t in range(n):
        for m in range(n_modes):
            value = np.float32(modes[t, m])
            for c in range(loading.shape[1]):
                out[t, c] += value * np.float32(loading[m, c])
    return out


@kernel
def lower_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower triangular root of a positive definite matrix (Cholesky): ``root @ root.T`` is the matrix.

    A plain loop, for the reason of :func:`mix_modes`.
    """
    n = matrix.shape[0]
    root = zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            left = matrix[i, j]
            for k in range(j):
                left -= root[i, k] * root[j, k]
            root[i, j] = np.sqrt(max(left, 0.0)) if i == j else left / root[j, j]
    return root


@kernel
def add_spline_field(traces: NDArray[np.float32], knots: NDArray[np.float32], factor: int) -> None:
    """Add a field given at every ``factor``-th sample, as a uniform cubic B-spline, in place.

    Sample 0 of the traces is at knot 1 (the spline needs one knot before and two after), so ``knots`` has ``n_samples /
    factor + 3`` rows. The spline's own low-pass (sinc to the fourth) suppresses images.
    """
    n_samples, n_channels = traces.shape
    basis = empty((factor, 4), np.float32)
    for i in range(factor):
        f = i / factor
        basis[i, 0] = (1.0 - f) ** 3 / 6.0
        basis[i, 1] = (3.0 * f**3 - 6.0 * f**2 + 4.0) / 6.0
        basis[i, 2] = (-3.0 * f**3 + 3.0 * f**2 + 3.0 * f + 1.0) / 6.0
        basis[i, 3] = f**3 / 6.0
    for n in range(n_samples):
        j, i = n // factor, n % factor
        b0, b1, b2, b3 = basis[i, 0], basis[i, 1], basis[i, 2], basis[i, 3]
        for c in range(n_channels):
            traces[n, c] += b0 * knots[j, c] + b1 * knots[j + 1, c] + b2 * knots[j + 2, c] + b3 * knots[j + 3, c]


@kernel
def add_filtered(
    traces: NDArray[np.float32], noise: NDArray[np.float32], taps: NDArray[np.float32], size: NDArray[np.float32]
) -> None:
    """Add moving averages of noise, times a size per channel, in place.

    ``noise`` has ``len(taps) - 1`` additional rows before those of the traces; ``taps[0]`` belongs to the current
    sample.
    """
    n_samples, n_channels = traces.shape
    n_taps = taps.size
    for t in range(n_samples):
        for k in range(n_taps):
            for c in range(n_channels):
                traces[t, c] += taps[k] * size[c] * noise[t + n_taps - 1 - k, c]


@kernel
def add_outer(
    traces: NDArray[np.float32], first: int, course: NDArray[np.float32], loading: NDArray[np.float32]
) -> None:
    """Add ``course[t] * loading[channel]`` from row ``first`` on, cut to the traces, in place."""
    n_samples, n_channels = traces.shape
    for t in range(max(0, -first), min(course.size, n_samples - first)):
        for c in range(n_channels):
            traces[first + t, c] += course[t] * loading[c]


@kernel
def digitise(
    traces: NDArray[np.float32],
    offset_uv: NDArray[np.float32],
    live: NDArray[np.bool_],
    gain_uv: float,
    full_scale: int,
) -> NDArray[np.int16]:
    """Analog-to-digital conversion: add the channels' offsets, round to steps of ``gain_uv``, clip to ±``full_scale``
    steps.

    A dead channel shows only its offset.
    """
    n_samples, n_channels = traces.shape
    out = empty((n_samples, n_channels), np.int16)
    inverse = np.float32(1.0 / gain_uv)
    high, low = np.float32(full_scale), np.float32(-full_scale)
    factor = np.where(live, inverse, np.float32(0.0)).astype(np.float32)
    shift = (offset_uv * inverse).astype(np.float32)
    for t in range(n_samples):
        for c in range(n_channels):
            value = np.rint(traces[t, c] * factor[c] + shift[c])
            out[t, c] = np.int16(min(high, max(low, value)))
    return out
