"""Find local extrema beyond the thresholds in one pass over the traces.

The scan walks the time-major rows and compares blocks of contiguous channels with their thresholds in SIMD. Only blocks
that hold a crossing, a few percent, are searched sample by sample, so the scan is nearly as fast as reading the traces.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, grown
from xephys.kernels.lib.inner import inner, kernel

PeakSign = Literal["neg", "pos", "both"]

# One comparison of a block takes four AVX-512 or eight AVX2 registers; the fastest of 16, 32, 64 and 128.
_BLOCK = 64


def scan_limits(
    traces: NDArray[np.float32],
    thresholds: NDArray[np.floating[Any]],
    peak_sign: PeakSign,
    good: NDArray[np.bool_] | None,
    *,
    strict: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Limits in float32 such that ``v <= low or v >= high`` is the exact comparison with the given thresholds.

    Parameters
    ----------
    traces : float32 (sample, channel)
        The traces to scan.
    thresholds : float (channel,)
        Positive threshold of each channel, in the unit of the traces.
    peak_sign : {"neg", "pos", "both"}
        Sign of the peaks.
    good : bool (channel,) or None
        False where a channel must not give candidates.
    strict : bool
        True if a value must exceed the threshold, False if reaching it is enough.

    Returns
    -------
    low, high : float32 (channel,)
        NaN where a channel or a sign is excluded.

    Raises
    ------
    ValueError
        If a threshold of a channel in use is not positive, or the arguments do not fit together.

    Examples
    --------
    >>> low, high = scan_limits(np.zeros((5, 1), np.float32), np.array([5.0]), "neg", None, strict=False)
    >>> low, high
    (array([-5.], dtype=float32), array([nan], dtype=float32))
    """
    n_channels = traces.shape[1]
    if thresholds.shape != (n_channels,):
        raise ValueError(f"thresholds have shape {thresholds.shape}; the traces have {n_channels} channels")
    if peak_sign not in ("neg", "pos", "both"):
        raise ValueError(f"peak_sign is {peak_sign!r}; use 'neg', 'pos' or 'both'")
    used = np.ones(n_channels, dtype=bool) if good is None else good
    wrong = used & ~(thresholds > 0)
    if wrong.any():
        channel = int(np.argmax(wrong))
        raise ValueError(
            f"threshold of channel {channel} is {thresholds[channel]}; it must be positive "
            "(a constant channel has noise level 0: mark it as bad)"
        )
    exact = thresholds.astype(np.float64)
    limit = exact.astype(np.float32)
    below = limit.astype(np.float64) <= exact if strict else limit.astype(np.float64) < exact
    limit = np.where(below, np.nextafter(limit, np.float32(np.inf)), limit)
    # No value compares with NaN, which is what an excluded channel or sign needs.
    limit = np.where(used, limit, np.float32(np.nan))
    nothing = np.full_like(limit, np.nan)
    return (-limit if peak_sign != "pos" else nothing), (limit if peak_sign != "neg" else nothing)


@kernel
def find_candidates(
    traces: NDArray[np.float32], first: int, last: int, low: NDArray[np.float32], high: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the local extrema beyond the limits in rows first to last.

    A local extremum is strictly beyond the sample before it and at least as far as the sample after it.

    Parameters
    ----------
    traces : float32 (sample, channel)
        Time-major traces.
    first, last : int
        Rows to scan; one more row on each side is read.
    low, high : float32 (channel,)
        From `scan_limits`.

    Returns
    -------
    rows, channels : int64 (candidate,)
        Sorted by row, then channel.
    """
    n_channels = traces.shape[1]
    rows = empty(4096, np.int64)
    channels = empty(4096, np.int64)
    row, count = first, np.int64(0)  # with a literal 0, the scan would be compiled a second time
    while row < last:
        if count + n_channels > rows.size:
            rows = grown(rows, rows.size + n_channels)
            channels = grown(channels, channels.size + n_channels)
        row, count = _scan(traces, row, last, low, high, rows, channels, count)
    return rows[:count], channels[:count]


@inner
def _scan(
    traces: NDArray[np.float32],
    row: int,
    last_row: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    count: int,
) -> tuple[int, int]:
    """Append the local extrema of rows while there is room for all of a row; returns the next row and the count."""
    n_channels = traces.shape[1]
    n_in_blocks = n_channels // _BLOCK * _BLOCK
    while row < last_row and count + n_channels <= rows.size:
        for block in range(0, n_in_blocks, _BLOCK):
            end = block + _BLOCK
            if _block_crosses(traces[row, block:end], low[block:end], high[block:end]):
                count = _collect(traces, row, block, end, low, high, rows, channels, count)
        count = _collect(traces, row, n_in_blocks, n_channels, low, high, rows, channels, count)
        row += 1
    return row, count


@inner
def _block_crosses(values: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> np.int32:
    """1 if any of `_BLOCK` values lies beyond its limits, else 0.

    The loop is branch-free and of constant length, so that the compiler uses SIMD: 6 times faster than a variable
    length.
    """
    crossed = np.int32(0)
    for c in range(_BLOCK):
        crossed |= np.int32((values[c] <= low[c]) | (values[c] >= high[c]))
    return crossed


@inner
def _collect(
    traces: NDArray[np.float32],
    row: int,
    first_channel: int,
    last_channel: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    count: int,
) -> int:
    """Append the local extrema of one row to the candidates; returns their new number."""
    for c in range(first_channel, last_channel):
        v = traces[row, c]
        trough = v <= low[c] and v < traces[row - 1, c] and v <= traces[row + 1, c]
        crest = v >= high[c] and v > traces[row - 1, c] and v >= traces[row + 1, c]
        if trough or crest:
            rows[count] = row
            channels[count] = c
            count += 1
    return count
