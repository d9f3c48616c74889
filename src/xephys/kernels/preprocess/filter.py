"""Recursive (IIR) filters: a cascade of second-order sections, one way or zero-phase.

The traces stay time-major. 32 channels at a time are filtered from end to end, in blocks of a few rows that stay in the
L1 cache. Each section sweeps such a block, eight channels at a time, with its states held in vector registers.
Arithmetic is float64 throughout, so that slow waves of 500 µV and DC offsets cost no accuracy in a 10 µV band.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.errors import ParameterError
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import helper, inner, kernel
from xephys.kernels.lib.lanes import fma, load_f64, prefetch, splat_f64, store

WIDTH = 32  # channels filtered together: a cache line of int16, four float64 vectors
ROWS = 64  # rows per block: 64 × 32 float64 is 16 KiB, at most half of the L1 cache
NATIVE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def sos_halo(sos: NDArray[np.floating], tolerance: float = 1e-6) -> int:
    """Number of samples after which a filter has forgotten its past, to within ``tolerance``.

    Parameters
    ----------
    sos
        Second-order sections, shape (section, 6).
    tolerance
        Maximum remainder of a unit response, in (0, 1).

    Returns
    -------
    int
        ``ceil(log(tolerance) / log(radius of the largest pole))``, at least the length of the finite part.

    Raises
    ------
    ValueError
        If the filter is unstable, or an argument is out of range.

    Examples
    --------
    >>> from scipy.signal import butter
    >>> sos_halo(butter(5, [300, 6000], "bandpass", fs=30_000, output="sos"))
    766
    """
    sections = _checked_sections(sos)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}, but must lie between 0 and 1; 1e-6 suits spikes")
    finite_part = 2 * len(sections)
    radius = _largest_pole(sections)
    if radius == 0:
        return finite_part
    return max(finite_part, math.ceil(math.log(tolerance) / math.log(radius)))


@with_device_twin
def sos_filtfilt(traces: NDArray[Any], *, before: int, after: int, sos: NDArray[np.floating]) -> NDArray[np.float32]:
    """Filter forwards and backwards: zero phase, squared magnitude.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel), any integer or real dtype. Never written to.
    before, after
        Rows of context around the wanted ones; ``sos_halo`` tells how many make the result exact.
    sos
        Second-order sections, shape (section, 6), of any stable design.

    Returns
    -------
    ndarray
        Shape (n, channel), float32, in the unit of ``traces``.

    Raises
    ------
    ValueError
        If the filter is unstable, a leading coefficient is zero, or the context is longer than the traces.

    Notes
    -----
    Each direction starts as if its first sample had lasted forever, so an offset does not ring.
    With a halo of ``sos_halo(sos)`` the result agrees with ``scipy.signal.sosfiltfilt`` on the whole recording to
    better than 1e-4 of the filtered RMS, away from the recording's ends.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.signal import butter
    >>> sos = butter(5, [300, 6000], "bandpass", fs=30_000, output="sos")
    >>> offset = np.full((3000, 4), 20_000, dtype="int16")
    >>> filtered = sos_filtfilt(offset, before=1000, after=1000, sos=sos)
    >>> filtered.shape, bool(abs(filtered).max() < 1e-6)
    ((1000, 4), True)
    """
    return _filtered_by(_filtfilt, traces, before, after, sos)


def sos_filter(traces: NDArray[Any], *, before: int, after: int = 0, sos: NDArray[np.floating]) -> NDArray[np.float32]:
    """Filter forwards only: causal, with the filter's own delay. Arguments and errors as `sos_filtfilt`.

    The rows in ``after`` are not used; the argument exists so that all trace stages are called alike.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.signal import butter
    >>> sos = butter(3, 300, "highpass", fs=30_000, output="sos")
    >>> step = np.ones((2000, 2), dtype="float32")
    >>> float(abs(sos_filter(step, before=500, sos=sos)).max())
    0.0
    """
    return _filtered_by(_forward, traces, before, after, sos)


def sos_filter_backward(
    traces: NDArray[Any], *, before: int = 0, after: int, sos: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Filter backwards only, from the last sample to the first. Arguments and errors as `sos_filtfilt`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.signal import butter
    >>> sos = butter(1, 3000, fs=30_000, output="sos")
    >>> pulse = np.zeros((9, 1), dtype="float32")
    >>> pulse[5] = 1.0
    >>> sos_filter_backward(pulse, after=0, sos=sos).ravel().round(2)
    array([0.02, 0.05, 0.1 , 0.19, 0.37, 0.25, 0.  , 0.  , 0.  ],
          dtype=float32)
    """
    return np.ascontiguousarray(sos_filter(traces[::-1], before=after, after=before, sos=sos)[::-1])


def _checked_sections(sos: NDArray[np.floating]) -> NDArray[np.float64]:
    sections = np.asarray(sos, np.float64)
    if sections.ndim != 2 or sections.shape[1] != 6 or len(sections) == 0:
        raise ParameterError(
            f"sos has shape {sections.shape}, and second-order sections are (section, 6): design the filter "
            "with output='sos'"
        )
    if not np.all(np.isfinite(sections)) or np.any(sections[:, 3] != 1):
        raise ParameterError("sos must be finite with a0 = 1 in column 3, as scipy.signal designs are")
    radius = _largest_pole(sections)
    if radius >= 1:
        raise ParameterError(
            f"the filter is unstable: its largest pole has radius {radius:.9g}, but must be below 1; "
            "lower the order, or design another"
        )
    return sections


def _largest_pole(sections: NDArray[np.float64]) -> float:
    a1, a2 = sections[:, 4], sections[:, 5]
    root = np.sqrt((a1 * a1 - 4 * a2).astype(np.complex128))
    return float(max(np.abs(-a1 + root).max(), np.abs(-a1 - root).max()) / 2)


def normalized_sections(sos: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Coefficients (b1, b2, −a1, −a2) of the sections scaled to b0 = 1, and the overall gain."""
    sections = _checked_sections(sos)
    b0 = sections[:, 0]
    if np.any(b0 == 0):
        raise ValueError("a section has b0 = 0, a pure delay; drop its leading zero before filtering")
    coefficients = np.column_stack([sections[:, 1] / b0, sections[:, 2] / b0, -sections[:, 4], -sections[:, 5]])
    return np.ascontiguousarray(coefficients), float(np.prod(b0))


def _filtered_by(
    loop: Callable[..., None], traces: NDArray[Any], before: int, after: int, sos: NDArray[np.floating]
) -> NDArray[np.float32]:
    coefficients, gain = normalized_sections(sos)
    source, n = _readable_rows(traces, before, after)
    filtered = np.empty((n, source.shape[1]), np.float32)
    if filtered.size:
        loop(source.reshape(-1), source.shape[1], before, n, coefficients, gain, filtered.reshape(-1))
    return filtered


def _readable_rows(traces: NDArray[Any], before: int, after: int) -> tuple[NDArray[Any], int]:
    """Traces in a form that the compiled loops can read (a view if possible), and the number of rows to return."""
    if traces.ndim != 2:
        raise ValueError(f"traces has {traces.ndim} dimensions, but must be (sample, channel)")
    n = len(traces) - before - after
    if before < 0 or after < 0 or n < 0:
        raise ValueError(f"before = {before} and after = {after} do not fit into {len(traces)} rows of traces")
    dtype = traces.dtype.newbyteorder("=")
    return np.ascontiguousarray(traces, dtype if dtype.name in NATIVE else np.float64), n


@kernel
def _filtfilt(source, channels, before, n, coefficients, gain, filtered):  # type: ignore[no-untyped-def]
    rows = len(source) // channels
    block = zeros(ROWS * WIDTH)
    state = empty(len(coefficients) * 4 * WIDTH)
    forward = empty(rows * WIDTH, np.float32)
    _both_ways(source, channels, before, n, coefficients, gain, filtered, block, state, forward)


@inner
def _both_ways(  # type: ignore[no-untyped-def]
    source, channels, before, n, coefficients, gain, filtered, block, state, forward
):
    rows = len(source) // channels
    full: Any = np.int64(WIDTH)  # with a literal, what reads and writes would be compiled a second time
    for first in range(0, channels, WIDTH):
        width = min(WIDTH, channels - first)
        for start in range(0, rows, ROWS):
            count = min(ROWS, rows - start)
            _read(source, start * channels + first, channels, count, width, gain, block)
            _cascade(block, count, start == 0, state, coefficients)
            _write(block, count, full, forward, start * full, full)
        # Backwards only as far as the first wanted row; rows below `before` are never needed.
        for start in range(0, rows - before, ROWS):
            count = min(ROWS, rows - before - start)
            last = rows - 1 - start
            _read(forward, last * full, -full, count, full, gain, block)
            _cascade(block, count, start == 0, state, coefficients)
            skipped = max(0, last - before - n + 1)
            if skipped < count:
                _write(
                    block[skipped * WIDTH :], count - skipped, width, filtered,
                    (last - before - skipped) * channels + first, -channels,
                )  # fmt: skip


@kernel
def _forward(source, channels, before, n, coefficients, gain, filtered):  # type: ignore[no-untyped-def]
    block = zeros(ROWS * WIDTH)
    state = empty(len(coefficients) * 4 * WIDTH)
    for first in range(0, channels, WIDTH):
        width = min(WIDTH, channels - first)
        for start in range(0, before + n, ROWS):
            count = min(ROWS, before + n - start)
            _read(source, start * channels + first, channels, count, width, gain, block)
            _cascade(block, count, start == 0, state, coefficients)
            skipped = max(0, before - start)
            if skipped < count:
                _write(
                    block[skipped * WIDTH :], count - skipped, width, filtered,
                    (start + skipped - before) * channels + first, channels,
                )  # fmt: skip


@helper
def _read(source, index, step, count, width, gain, block):  # type: ignore[no-untyped-def]
    """Rows of ``source``, ``step`` elements apart, into ``block`` as float64 times ``gain``."""
    if width == WIDTH:
        factor = splat_f64(gain)
        zero = splat_f64(0.0)
        for t in range(count):
            here = index + t * step
            # The same row of the next block, in another page of memory, which no processor foresees.
            prefetch(source, here + ROWS * step)
            prefetch(source, here + ROWS * step + WIDTH // 2)
            for v in range(0, WIDTH, 8):
                store(block, t * WIDTH + v, fma(load_f64(source, here + v), factor, zero))
    else:
        for t in range(count):
            for c in range(width):
                block[t * WIDTH + c] = np.float64(source[index + t * step + c]) * gain


@helper
def _write(block, count, width, target, index, step):  # type: ignore[no-untyped-def]
    if width == WIDTH:
        for t in range(count):
            there = index + t * step
            for v in range(0, WIDTH, 8):
                store(target, there + v, load_f64(block, t * WIDTH + v))
    else:
        for t in range(count):
            for c in range(width):
                target[index + t * step + c] = np.float32(block[t * WIDTH + c])


@helper
def _cascade(block, count, first, state, coefficients):  # type: ignore[no-untyped-def]
    if first:
        _steady_state(block, state, coefficients)
    for section in range(len(coefficients)):
        _sweep(block, count, state, section * 4 * WIDTH, coefficients[section])


@helper
def _steady_state(block, state, coefficients):  # type: ignore[no-untyped-def]
    """States after the first row has been repeated forever."""
    for c in range(WIDTH):
        x = block[c]
        for section in range(len(coefficients)):
            b1, b2, minus_a1, minus_a2 = coefficients[section]
            y = x * (1.0 + b1 + b2) / (1.0 - minus_a1 - minus_a2)
            at = section * 4 * WIDTH + c
            state[at] = x
            state[at + WIDTH] = x
            state[at + 2 * WIDTH] = y
            state[at + 3 * WIDTH] = y
            x = y


@helper
def _sweep(block, count, state, at, coefficient):  # type: ignore[no-untyped-def]
    """One section over one block, in place: y = x + b1 x₁ + b2 x₂ − a1 y₁ − a2 y₂ (direct form I).

    Of the four products, only a1 y₁ depends on the previous row, so the recursion costs one multiply-add. The states of
    more than one vector would not fit into the sixteen registers of AVX2; the multiply-adds of one take as long as the
    recursion has to wait.
    """
    b1, b2 = splat_f64(coefficient[0]), splat_f64(coefficient[1])
    a1, a2 = splat_f64(coefficient[2]), splat_f64(coefficient[3])
    for v in range(0, WIDTH, 8):
        here = at + v
        x1, x2 = load_f64(state, here), load_f64(state, here + WIDTH)  # one and two rows ago
        y1, y2 = load_f64(state, here + 2 * WIDTH), load_f64(state, here + 3 * WIDTH)
        for t in range(count):
            i = t * WIDTH + v
            x = load_f64(block, i)
            y = fma(a1, y1, fma(a2, y2, fma(b1, x1, fma(b2, x2, x))))
            store(block, i, y)
            x2, x1 = x1, x
            y2, y1 = y1, y
        store(state, here, x1)
        store(state, here + WIDTH, x2)
        store(state, here + 2 * WIDTH, y1)
        store(state, here + 3 * WIDTH, y2)
