"""Linear scaling, and conversion to integers that neither wraps nor truncates."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xephys.kernels.lib.core import core_rows
from xephys.kernels.lib.dispatch import fills_float32, with_device_twin
from xephys.kernels.lib.inner import kernel


def fill_scaled(
    source: NDArray[Any],
    scaled: NDArray[np.float32],
    *,
    gain: float | NDArray[np.floating] = 1.0,
    offset: float | NDArray[np.floating] = 0.0,
) -> None:
    """`scale` into a given array of the shape of ``source``, or into ``source`` itself.

    Examples
    --------
    >>> scaled = np.empty((1, 2), np.float32)
    >>> fill_scaled(np.array([[100, -200]], "int16"), scaled, gain=2.0, offset=np.array([0.0, 1.0]))
    >>> scaled.tolist()
    [[200.0, -399.0]]
    """
    if not source.dtype.isnative:
        source = source.astype(source.dtype.newbyteorder("="))
    channels = source.shape[1]
    # Wide unsigned counts and their offset are each far larger than their sum, so float32 would lose the difference.
    wide = source.dtype.kind == "u" and source.dtype.itemsize >= 4
    precision: Any = np.float64 if wide else np.float32
    gains, offsets = (_per_channel(v, channels, n, precision) for v, n in ((gain, "gain"), (offset, "offset")))
    (_scale_wide if wide else _scale)(source, gains, offsets, scaled)


@fills_float32(fill_scaled)
@with_device_twin
def scale(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    gain: float | NDArray[np.floating] = 1.0,
    offset: float | NDArray[np.floating] = 0.0,
) -> NDArray[np.float32]:
    """Each sample times a gain plus an offset, in float32, such as counts to microvolts.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel), any integer or real dtype.
    before, after
        Rows to leave out; this stage needs none.
    gain, offset
        One number, or one per channel.

    Returns
    -------
    ndarray
        Shape (n, channel), float32.

    Raises
    ------
    ValueError
        If ``gain`` or ``offset`` has another length than the channels.

    Examples
    --------
    >>> import numpy as np
    >>> scale(np.array([[100, -200]], dtype="int16"), gain=np.array([0.5, 2.0]), offset=1)
    array([[  51., -399.]], dtype=float32)
    """
    source = core_rows(traces, before, after)
    scaled = np.empty(source.shape, np.float32)
    fill_scaled(source, scaled, gain=gain, offset=offset)
    return scaled


def astype(traces: NDArray[Any], *, before: int = 0, after: int = 0, dtype: DTypeLike = "int16") -> NDArray[Any]:
    """Convert to another dtype. Conversion to integers rounds half to even and clips to the range.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    dtype
        Target dtype.

    Returns
    -------
    ndarray
        Shape (n, channel), of that dtype.

    Raises
    ------
    ValueError
        If the target is an integer type and a sample is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> astype(np.array([[0.5, 1.5, -2.5, 4e4]], dtype="float32"))
    array([[    0,     2,    -2, 32767]], dtype=int16)
    """
    wanted = np.dtype(dtype)
    source = traces[before : len(traces) - after]
    if wanted.kind not in "iu" or source.dtype == wanted:
        return source.astype(wanted)
    limits = np.iinfo(wanted)
    if source.dtype.kind in "iu":
        # Python compares integers of any size; NumPy would refuse limits outside the source's own range.
        own = np.iinfo(source.dtype)
        clipped: NDArray[Any] = np.clip(source, max(limits.min, own.min), min(limits.max, own.max)).astype(wanted)
        return clipped
    if source.dtype.itemsize not in (4, 8) or not source.dtype.isnative:
        source = source.astype(np.float64)
    converted = np.empty(source.shape, wanted)
    if not _round(source, float(limits.min), float(limits.max), limits.min, limits.max, converted):
        raise ValueError(f"traces hold NaN, which {wanted} cannot; mark those channels bad and interpolate them first")
    return converted


def _per_channel(value: float | NDArray[np.floating], channels: int, name: str, dtype: Any) -> NDArray[Any]:
    values = np.asarray(value, dtype)
    if values.shape == ():
        return np.full(channels, values, dtype)  # much cheaper than broadcasting, and this runs on small blocks
    if values.shape != (channels,):
        raise ValueError(
            f"{name} has shape {values.shape}, but must be one number or one for each of {channels} channels"
        )
    return np.ascontiguousarray(values)


@kernel
def _scale(source, gain, offset, scaled):  # type: ignore[no-untyped-def]
    rows, channels = source.shape
    for t in range(rows):
        for c in range(channels):
            scaled[t, c] = np.float32(source[t, c]) * gain[c] + offset[c]


@kernel
def _scale_wide(source, gain, offset, scaled):  # type: ignore[no-untyped-def]
    rows, channels = source.shape
    for t in range(rows):
        for c in range(channels):
            scaled[t, c] = np.float32(np.float64(source[t, c]) * gain[c] + offset[c])


@kernel
def _round(source, low, high, lowest, highest, converted):  # type: ignore[no-untyped-def]
    """False if a NaN occurs.

    ``low`` and ``high`` are the range as floats, since floats cannot hold all 64-bit limits.
    """
    rows, channels = source.shape
    numbers = True
    for t in range(rows):
        for c in range(channels):
            value = np.rint(np.float64(source[t, c]))
            numbers &= value == value
            if value >= high:
                converted[t, c] = highest
            elif value > low:
                converted[t, c] = np.int64(value)
            else:
                converted[t, c] = lowest
    return numbers
