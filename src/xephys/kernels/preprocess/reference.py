"""Common and local references: subtract the median or mean over a set of channels from every sample.

Each median search starts from the result for the previous sample; that affects the time, never the result.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.core import core_rows
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import helper, inner, kernel
from xephys.kernels.lib.lanes import (
    LANES,
    add,
    larger,
    load_f32,
    load_f64,
    smaller,
    splat_f32,
    splat_f64,
    store,
    subtract,
    sum_lanes,
    where_nan,
)
from xephys.kernels.lib.median import median_of
from xephys.kernels.preprocess.reference_sets import QUIET_SHARE_MIN, SPREAD_MIN, neighbor_sets, stored_reference_sets

Operator = Literal["median", "average"]


@with_device_twin
def common_reference(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    operator: Operator = "median",
    groups: NDArray[np.integer] | None = None,
    reference_channels: NDArray[np.integer] | None = None,
    good: NDArray[np.bool_] | None = None,
    quiet_limits: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Subtract the median or mean over channels from every sample.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    operator
        ``"median"``: equal to ``numpy.median`` of the float32 values, to the bit, up to 1e38. ``"average"``: the mean,
        summed in float64.
    groups
        One label per channel: channels are referenced within their group, and those with a negative label are left
        unchanged. None: one group.
    reference_channels
        Indices of the channels that may serve as reference; None: all.
    good
        Mask over channels. Bad channels never contribute to a reference, but one is subtracted from them too.
    quiet_limits
        Magnitude of each channel above which it does not contribute to the reference of a sample. Where fewer than
        `QUIET_SHARE_MIN` of a group are within their limits, that share of them contributes, the quietest ones, if
        their magnitudes spread by more than `SPREAD_MIN`, and otherwise all. None: all always contribute.

    Returns
    -------
    ndarray
        Shape (n, channel), float32.

    Raises
    ------
    ValueError
        If an operator is unknown, a shape or index is wrong, or a group has no reference channel.

    Notes
    -----
    A NaN or infinity spreads as in ``numpy.median`` and ``numpy.mean``: it spoils that sample of that group, unless an
    infinity does not contribute.

    Examples
    --------
    >>> import numpy as np
    >>> common_reference(np.array([[1, 2, 9], [4, 4, 0]], dtype="int16"))
    array([[-1.,  0.,  7.],
           [ 0.,  0., -4.]], dtype=float32)
    """
    _check_operator(operator)
    source = _core(traces, before, after)
    members, offsets, labels = stored_reference_sets(source.shape[1], groups, reference_channels, good)
    limits = np.empty(0, np.float32)
    if quiet_limits is not None:
        if np.shape(quiet_limits) != (source.shape[1],):
            raise ValueError(f"quiet_limits has shape {np.shape(quiet_limits)}, not one for each of {source.shape[1]}")
        limits = np.asarray(quiet_limits, np.float32)[members]
    referenced = np.empty_like(source)
    if referenced.size:
        _common(source, members, offsets, labels, limits, operator == "median", referenced)
    middle = _middle_of(traces.dtype)
    if middle and groups is not None:  # channels that are not referenced keep their own zero
        referenced[:, np.asarray(groups) < 0] += np.float32(middle)
    return referenced


def local_reference(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    neighbors: NDArray[np.integer],
    operator: Operator = "median",
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Subtract from each channel the median or mean over its own set of neighbors.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    neighbors
        Shape (channel, k): indices of the neighbors of each channel, padded with −1.
    operator, good
        As in `common_reference`.

    Returns
    -------
    ndarray
        Shape (n, channel), float32.

    Raises
    ------
    ValueError
        If an operator is unknown, a shape or index is wrong, or a channel has no good neighbor.

    Examples
    --------
    >>> import numpy as np
    >>> neighbors = np.array([[1, 2], [2, -1], [0, 1]], dtype="int32")
    >>> local_reference(np.array([[1, 2, 9]]), neighbors=neighbors)
    array([[-4.5, -7. ,  7.5]], dtype=float32)
    """
    _check_operator(operator)
    source = _core(traces, before, after)
    members, offsets = neighbor_sets(source.shape[1], neighbors, good)
    referenced = np.empty_like(source)
    if referenced.size:
        _local(source, members, offsets, operator == "median", referenced)
    return referenced


def _check_operator(operator: str) -> None:
    if operator not in ("median", "average"):
        raise ValueError(f'operator is {operator!r}, but must be "median" or "average"')


def _core(traces: NDArray[Any], before: int, after: int) -> NDArray[np.float32]:
    """The requested rows in float32; wide unsigned integers relative to the middle of their range, as signed ones.

    A reference does not depend on an offset that all channels share, and near 2**31 float32 has steps of 256.
    """
    rows = core_rows(traces, before, after)
    middle = _middle_of(traces.dtype)
    if middle:
        signed = np.dtype(f"i{traces.dtype.itemsize}")
        rows = (rows.astype(traces.dtype.newbyteorder("=")) - traces.dtype.type(middle)).view(signed)
    return np.ascontiguousarray(rows, np.float32)


def _middle_of(dtype: np.dtype[Any]) -> int:
    """The zero of a wide unsigned integer: the middle of its range. 0 for types whose values float32 can hold."""
    return int(2 ** (8 * dtype.itemsize - 1)) if dtype.kind == "u" and dtype.itemsize >= 4 else 0


@kernel
def _common(source, members, offsets, labels, limits, median, referenced):  # type: ignore[no-untyped-def]
    rows, channels = source.shape
    groups = len(offsets) - 1
    flat, target = source.reshape(-1), referenced.reshape(-1)
    values, ratios = empty(channels + LANES, np.float32), empty(channels, np.float32)
    level = zeros(groups, np.float32)
    spacing = zeros(groups, np.float32)
    _common_rows(flat, rows, channels, members, offsets, labels, limits, median, values, ratios, level, spacing, target)


@inner
def _common_rows(  # type: ignore[no-untyped-def]
    flat, rows, channels, members, offsets, labels, limits, median, values, ratios, level, spacing, target
):
    groups = len(offsets) - 1
    for t in range(rows):
        for group in range(groups):
            first, size = offsets[group], offsets[group + 1] - offsets[group]
            if size == 0:  # not referenced, so the level stays 0
                continue
            padding = np.float32(np.inf) if median else np.float32(0)
            _gather(flat, t * channels, members, first, size, values, padding)
            if limits.size:
                size = _keep_quiet(values, size, limits, first, padding, ratios)
            if median:
                level[group], spacing[group] = median_of(values, size, level[group], spacing[group])
            else:
                level[group] = _mean(values, size)
        if groups == 1:
            _subtract_level(flat, t * channels, channels, level[0], target)
        else:
            for c in range(channels):
                target[t * channels + c] = flat[t * channels + c] - level[labels[c]]


@helper
def _gather(flat, row, members, first, size, values, padding):  # type: ignore[no-untyped-def]
    """A group's values, contiguous and padded to whole vectors."""
    if members[first + size - 1] - members[first] == size - 1:  # consecutive channels
        begin = row + members[first]
        whole = size - size % LANES
        for i in range(0, whole, LANES):
            store(values, i, load_f32(flat, begin + i))
        for i in range(whole, size):
            values[i] = flat[begin + i]
    else:
        for i in range(size):
            # Unsigned indices, because signed ones are checked for negative values.
            values[i] = flat[np.uintp(row + members[np.uintp(first + i)])]
    for i in range(size, size + (-size) % LANES):
        values[i] = padding


@helper
def _keep_quiet(values, size, limits, first, padding, ratios):  # type: ignore[no-untyped-def]
    """Number of values that contribute, which move to the front."""
    n_quiet = 0
    for i in range(size):
        n_quiet += not abs(values[i]) > limits[np.uintp(first + i)]  # a NaN counts, so that it still spreads
    if n_quiet == size:
        return size
    few = n_quiet < QUIET_SHARE_MIN * size
    largest = _largest_ratio(values, size, limits, first, ratios) if few else np.float32(1)
    kept = 0
    for i in range(size):
        value, limit = values[i], limits[np.uintp(first + i)]
        values[np.uintp(kept)] = value
        kept += not (_ratio(value, limit) > largest if few else abs(value) > limit)
    for i in range(kept, kept + (-kept) % LANES):
        values[i] = padding
    return kept


@helper
def _largest_ratio(values, size, limits, first, ratios):  # type: ignore[no-untyped-def]
    """Of values of which few are quiet, the ratio to its limit of the last one that contributes."""
    for i in range(size):
        ratios[i] = _ratio(values[i], limits[first + i])
    for i in range(size):
        for j in range(i + 1, size):
            if ratios[j] < ratios[i]:
                ratios[i], ratios[j] = ratios[j], ratios[i]
    if not ratios[3 * size // 4] - ratios[size // 4] > SPREAD_MIN * ratios[size // 2]:
        return np.float32(np.inf)
    return ratios[int(np.ceil(QUIET_SHARE_MIN * size)) - 1]


@helper
def _ratio(value, limit):  # type: ignore[no-untyped-def]
    """Magnitude over its limit; 0 for a NaN, and for a zero whatever its limit."""
    magnitude = abs(value)
    if not magnitude > 0:
        return np.float32(0)
    return magnitude / limit if limit > 0 else np.float32(np.inf)


@helper
def _subtract_level(flat, row, channels, level, target):  # type: ignore[no-untyped-def]
    whole = channels - channels % LANES
    levels = splat_f32(level)
    for c in range(0, whole, LANES):
        store(target, row + c, subtract(load_f32(flat, row + c), levels))
    for c in range(whole, channels):
        target[row + c] = flat[row + c] - level


@helper
def _mean(values, size):  # type: ignore[no-untyped-def]
    total = splat_f64(0.0)
    for i in range(0, size + (-size) % LANES, 8):
        total = add(total, load_f64(values, i))
    return np.float32(sum_lanes(total) / size)


@kernel
def _local(source, members, offsets, median, referenced):  # type: ignore[no-untyped-def]
    """Sixteen samples at a time, one per lane, so that the order of the neighbors does not matter for the cost."""
    rows, channels = source.shape
    most = 0
    for c in range(channels):
        most = max(most, offsets[c + 1] - offsets[c])
    block = zeros(channels * LANES, np.float32)
    sorting = empty(most * LANES, np.float32)
    level = empty(LANES, np.float32)
    for start in range(0, rows, LANES):
        count = min(LANES, rows - start)
        for t in range(count):
            for c in range(channels):
                block[c * LANES + t] = source[start + t, c]
        for c in range(channels):
            first, size = offsets[c], offsets[c + 1] - offsets[c]
            if median:
                spoiled = splat_f32(np.float32(0))
                for i in range(size):
                    value = load_f32(block, members[first + i] * LANES)
                    spoiled = where_nan(value, value, spoiled)
                    store(sorting, i * LANES, value)
                _sort_lanes(sorting, size)
                half = size // 2
                middle = load_f32(sorting, half * LANES)
                if size % 2 == 0:
                    # (a + b) / 2 like NumPy: halving the sum is exact, while halving the terms may underflow.
                    middle = add(load_f32(sorting, (half - 1) * LANES), middle)
                store(level, 0, add(middle, spoiled))
                scale = np.float32(0.5) if size % 2 == 0 else np.float32(1)
            else:
                total = splat_f32(np.float32(0))
                for i in range(size):
                    total = add(total, load_f32(block, members[first + i] * LANES))
                store(level, 0, total)
                scale = np.float32(1) / np.float32(size)
            for t in range(count):
                referenced[start + t, c] = block[c * LANES + t] - level[t] * scale


@helper
def _sort_lanes(sorting, size):  # type: ignore[no-untyped-def]
    """Sort every lane by exchanging neighbors, which suits small neighborhoods."""
    for last in range(size - 1, 0, -1):
        for i in range(last):
            a, b = load_f32(sorting, i * LANES), load_f32(sorting, (i + 1) * LANES)
            store(sorting, i * LANES, smaller(a, b))
            store(sorting, (i + 1) * LANES, larger(b, a))
