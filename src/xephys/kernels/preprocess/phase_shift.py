"""Delay each channel by a fraction of a sample, to undo the staggered sampling of multiplexed converters.

The delay is a windowed sinc of fixed length (Kaiser, β = 10), so a sample depends on a few neighbors only. Unlike that
of a Fourier transform, the result does not change with the chunk length.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.lanes import LANES, fma, load_f32, splat_f32, store

TAPS = 32  # with this window: error below 1e-5 up to 0.5 and below 1e-4 up to 0.8 of the Nyquist frequency
BETA = 10.0
TILE = 6  # rows computed together: their sums fit into the registers of AVX2
BLOCK = 126  # rows converted to float32 at a time


def phase_shift_halo(taps: int = TAPS) -> int:
    """Number of samples needed before and after: half the filter's length, rounded up, plus one for a whole-sample
    shift.

    >>> phase_shift_halo()
    17
    """
    if taps < 2 or taps % 2:
        raise ValueError(f"taps is {taps}, but must be an even number of at least 2; 32 keeps errors below 1e-4")
    return taps // 2 + 1


def delay_filter(shifts: NDArray[np.floating], taps: int = TAPS) -> NDArray[np.float32]:
    """Impulse responses that delay by ``shifts`` samples.

    Parameters
    ----------
    shifts
        Shape (channel,), in samples, between −1 and 1.
    taps
        Length of the windowed sinc, even.

    Returns
    -------
    ndarray
        Shape (2 · halo + 1, channel), float32; row ``halo`` is lag 0. Each response sums to 1.

    Raises
    ------
    ValueError
        If a shift is not between −1 and 1 or ``taps`` is odd.

    Examples
    --------
    >>> import numpy as np
    >>> delay_filter(np.array([0.0, 1.0]))[16:19].round(6) + 0.0
    array([[0., 0.],
           [1., 0.],
           [0., 1.]], dtype=float32)
    """
    halo = phase_shift_halo(taps)
    wanted = np.asarray(shifts, np.float64)
    if wanted.ndim != 1 or not np.all(np.abs(wanted) <= 1):
        raise ValueError("shifts must be one number per channel, between -1 and 1 sample; inter_sample_shift is one")
    distance = np.arange(-halo, halo + 1)[:, None] - wanted
    inside = np.clip(1 - (distance / (taps / 2)) ** 2, 0, None)
    response = np.sinc(distance) * np.i0(BETA * np.sqrt(inside)) * (inside > 0)
    normalized: NDArray[np.float32] = (response / response.sum(axis=0)).astype(np.float32)
    return normalized


@with_device_twin
def phase_shift(
    traces: NDArray[Any], *, before: int, after: int, shifts: NDArray[np.floating], taps: int = TAPS
) -> NDArray[np.float32]:
    """Delay each channel by its shift: output[t] is the input at t − shift.

    With ``shifts`` = ``inter_sample_shift``, this moves all channels to the time of the first one sampled, with the
    sign convention of SpikeInterface's ``phase_shift``.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel), any integer or real dtype.
    before, after
        Rows of context, each at least ``phase_shift_halo(taps)``.
    shifts
        Shape (channel,), in samples, between −1 and 1.
    taps
        Length of the windowed sinc, even. 32: error below 1e-5 up to 7.5 kHz, 1e-4 up to 12 kHz, at 30 kHz.

    Returns
    -------
    ndarray
        Shape (n, channel), float32.

    Raises
    ------
    ValueError
        If the context is too short or the shifts do not fit the channels.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(100.0)[:, None]
    >>> phase_shift(ramp, before=20, after=78, shifts=np.array([0.25])).round(3)
    array([[19.75],
           [20.75]], dtype=float32)
    """
    halo = phase_shift_halo(taps)
    if before < halo or after < halo or before + after > len(traces):
        raise ValueError(
            f"before = {before} and after = {after} must each be at least {halo} and fit into {len(traces)} rows"
        )
    channels = traces.shape[1]
    if np.shape(shifts) != (channels,):
        raise ValueError(f"shifts has shape {np.shape(shifts)}, but needs one number for each of {channels} channels")
    padded = -(-channels // LANES) * LANES
    response = np.zeros((2 * halo + 1, padded), np.float32)
    response[:, :channels] = delay_filter(shifts, taps)
    source = traces[before - halo : len(traces) - after + halo]
    if source.dtype.kind not in "iuf" or source.dtype.itemsize not in (1, 2, 4, 8):
        source = source.astype(np.float32)
    flat = np.ascontiguousarray(source, source.dtype.newbyteorder("=")).reshape(-1)
    shifted = np.empty((len(source) - 2 * halo, channels), np.float32)
    if shifted.size:
        backwards = np.ascontiguousarray(response[::-1]).reshape(-1)
        _convolve(flat, channels, backwards, padded, 2 * halo + 1, shifted.reshape(-1))
    return shifted


@kernel
def _convolve(source, channels, response, stride, length, shifted):  # type: ignore[no-untyped-def]
    rows = len(shifted) // channels
    block = zeros((BLOCK + length - 1 + TILE) * LANES, np.float32)
    result = empty(TILE * LANES, np.float32)
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        for first in range(0, channels, LANES):
            width = min(LANES, channels - first)
            begin = start * channels + first
            _copy_rows(source, begin, channels, block, 0, LANES, count + length - 1, width)
            for row in range(0, count, TILE):
                # Rows past the last one are computed from stale values of the block, and discarded.
                _tile(block, row * LANES, response, first, stride, length, result)
                there = begin + row * channels
                _copy_rows(result, 0, LANES, shifted, there, channels, min(TILE, count - row), width)


@helper
def _copy_rows(source, index, step, target, there, target_step, count, width):  # type: ignore[no-untyped-def]
    if width == LANES:
        for t in range(count):
            store(target, there + t * target_step, load_f32(source, index + t * step))
    else:
        for t in range(count):
            for c in range(width):
                target[there + t * target_step + c] = np.float32(source[index + t * step + c])


@helper
def _tile(block, at, response, first, stride, length, result):  # type: ignore[no-untyped-def]
    """Six rows of sixteen channels, each summed over the lags in a fixed order."""
    s0 = splat_f32(np.float32(0))
    s1, s2, s3, s4, s5 = s0, s0, s0, s0, s0
    for k in range(length):
        weight = load_f32(response, first + k * stride)
        i = at + k * LANES
        s0 = fma(load_f32(block, i), weight, s0)
        s1 = fma(load_f32(block, i + 1 * LANES), weight, s1)
        s2 = fma(load_f32(block, i + 2 * LANES), weight, s2)
        s3 = fma(load_f32(block, i + 3 * LANES), weight, s3)
        s4 = fma(load_f32(block, i + 4 * LANES), weight, s4)
        s5 = fma(load_f32(block, i + 5 * LANES), weight, s5)
    store(result, 0 * LANES, s0)
    store(result, 1 * LANES, s1)
    store(result, 2 * LANES, s2)
    store(result, 3 * LANES, s3)
    store(result, 4 * LANES, s4)
    store(result, 5 * LANES, s5)
