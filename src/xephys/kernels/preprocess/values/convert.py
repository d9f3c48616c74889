"""Move integers to another range: from unsigned to signed, or to steps of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unsigned_to_signed(traces: NDArray[Any], *, before: int = 0, after: int = 0, bit_depth: int) -> NDArray[Any]:
    """Subtract half the range and store the result in the signed type of the same width.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel), unsigned integers.
    before, after
        Rows to leave out; this stage needs none.
    bit_depth
        Number of bits of the converter: half the range is ``2 ** (bit_depth - 1)``.

    Returns
    -------
    Signed integers (n, channel)

    Examples
    --------
    >>> unsigned_to_signed(np.array([[0, 32768, 65535]], np.uint16), bit_depth=16)
    array([[-32768,      0,  32767]], dtype=int16)
    """
    core = traces[before : len(traces) - after]
    # Unsigned subtraction wraps like two's complement, so the same bits read as signed are the difference.
    half = core.dtype.type(1 << (bit_depth - 1))
    return np.ascontiguousarray(core - half).view(np.dtype(f"i{core.dtype.itemsize}"))


def divide_steps(
    traces: NDArray[Any], *, before: int = 0, after: int = 0, lsb: int, center: NDArray[np.int64]
) -> NDArray[Any]:
    """``(traces - center) / lsb`` in integers, for traces whose values are all a multiple of ``lsb`` from ``center``.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel), integers.
    before, after
        Rows to leave out; this stage needs none.
    lsb
        Distance of neighboring values.
    Shape (channel,): a value of each channel, which becomes 0.
        Shape (channel,): a value of each channel, which becomes 0.

    Returns
    -------
    Integers (n, channel) of the type of the traces; a value between two steps is rounded down.

    Examples
    --------
    >>> divide_steps(np.array([[7, -5]], np.int16), lsb=3, center=np.array([1, 1]))
    array([[ 2, -2]], dtype=int16)
    """
    core = traces[before : len(traces) - after]
    return ((core.astype(np.int64) - center) // lsb).astype(core.dtype)


def largest_step(values: NDArray[np.integer[Any]]) -> tuple[int, NDArray[np.int64]]:
    """Largest common divisor of the distances between the values of each channel; 0 if all channels are constant.

    Parameters
    ----------
    values
        Shape (sample, channel), integers.

    Returns
    -------
    lsb : int
    center : int64 (channel,)
        A value of each channel, near its median.

    Examples
    --------
    >>> lsb, center = largest_step(np.array([[0, 1], [6, 13], [12, 1]], np.int16))
    >>> lsb, center.tolist()
    (6, [6, 1])
    """
    wide = values.astype(np.int64)
    middle = np.sort(wide, axis=0)[len(wide) // 2]
    return int(np.gcd.reduce(np.unique(np.abs(wide - middle)))), middle
