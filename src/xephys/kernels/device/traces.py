"""Scaling, delays, references and whitening on a device: each as a few operations on whole tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.bad_channels import checked_neighbours
from xephys.kernels.dispatch import as_index, resident
from xephys.kernels.phase_shift import TAPS, delay_filter, phase_shift_halo
from xephys.kernels.reference import reference_sets


def scale(xp: Any, traces: Any, *, before: int = 0, after: int = 0, gain: Any = 1.0, offset: Any = 0.0) -> Any:
    """As `xephys.kernels.scale.scale`."""
    core = traces[before : len(traces) - after].astype(np.float32)
    factor, shift = (_row(xp, value) for value in (gain, offset))
    return core * factor + shift


def _row(xp: Any, value: Any) -> Any:
    """One number, or one for each channel, as float32."""
    return resident(xp, _float32, value) if isinstance(value, np.ndarray) else np.float32(value)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def phase_shift(
    xp: Any, traces: Any, *, before: int, after: int, shifts: NDArray[np.floating], taps: int = TAPS
) -> Any:
    """As `xephys.kernels.phase_shift.phase_shift`: one multiplication and addition of the tile for each lag."""
    halo = phase_shift_halo(taps)
    n = len(traces) - before - after
    response = resident(xp, delay_filter, shifts, taps=taps)
    source = traces[before - halo : before + n + halo].astype(np.float32)
    shifted = xp.zeros((n, traces.shape[1]), dtype=np.float32)
    for lag in range(2 * halo + 1):
        shifted += source[lag : lag + n] * response[2 * halo - lag]
    return shifted


def common_reference(
    xp: Any,
    traces: Any,
    *,
    before: int = 0,
    after: int = 0,
    operator: str = "median",
    groups: NDArray[np.integer] | None = None,
    reference_channels: NDArray[np.integer] | None = None,
    good: NDArray[np.bool_] | None = None,
) -> Any:
    """As `xephys.kernels.reference.common_reference`: the same median, to the bit."""
    source = traces[before : len(traces) - after].astype(np.float32)
    channels = source.shape[1]
    _, offsets, _ = reference_sets(channels, groups, reference_channels, good)
    places = resident(xp, _members, groups, reference_channels, good, channels=channels)
    levels = xp.zeros((len(source), len(offsets) - 1), dtype=np.float32)
    for group in range(len(offsets) - 1):
        first, last = int(offsets[group]), int(offsets[group + 1])
        if first == last:  # not referenced
            continue
        own = source if last - first == channels else source[:, places[first:last]]
        if operator == "median":
            levels[:, group] = xp.median(own, axis=1)
        else:
            levels[:, group] = own.astype(np.float64).mean(axis=1)
    if levels.shape[1] == 1:
        return source - levels
    return source - levels[:, resident(xp, _labels, groups, channels=channels)]


def _members(
    groups: NDArray[Any] | None, reference_channels: NDArray[Any] | None, good: NDArray[Any] | None, *, channels: int
) -> NDArray[np.int64]:
    return reference_sets(channels, groups, reference_channels, good)[0]


def _labels(groups: NDArray[Any] | None, *, channels: int) -> NDArray[np.int64]:
    return reference_sets(channels, groups, None, None)[2]


def mix_channels(
    xp: Any,
    traces: Any,
    *,
    before: int = 0,
    after: int = 0,
    outputs: NDArray[np.int64],
    sources: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> Any:
    """As `xephys.kernels.mixing.mix_channels`: one product with the full matrix, which a device does faster."""
    matrix, shift = resident(xp, unpacked, outputs, sources, counts, weights, offsets)
    return xp.matmul(traces[before : len(traces) - after].astype(np.float32), matrix) + shift


def unpacked(
    outputs: NDArray[np.int64],
    sources: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The full matrix (source, output) and the offsets (output,) out of packed weights.

    Examples
    --------
    >>> from xephys.kernels.mixing import pack_dense
    >>> matrix, shift = unpacked(**pack_dense(np.array([[1.0, 0.0], [1.0, 2.0]])))
    >>> matrix.tolist(), shift.tolist()
    ([[1.0, 0.0], [1.0, 2.0]], [0.0, 0.0])
    """
    channels = int((outputs >= 0).sum())
    matrix, shift = np.zeros((channels, channels), np.float32), np.zeros(channels, np.float32)
    for group in range(len(outputs)):
        lanes = np.flatnonzero(outputs[group] >= 0)
        used = sources[group, : counts[group]]
        matrix[np.ix_(used, outputs[group, lanes])] = weights[group, : counts[group], lanes].T
        shift[outputs[group, lanes]] = offsets[group, lanes]
    return matrix, shift


def interpolate_channels(
    xp: Any,
    traces: Any,
    *,
    before: int = 0,
    after: int = 0,
    neighbours: NDArray[np.integer],
    weights: NDArray[np.floating],
    bad: NDArray[np.integer],
) -> Any:
    """As `xephys.kernels.bad_channels.interpolate_channels`: the bad channels are a product with all others."""
    filled = traces[before : len(traces) - after].astype(np.float32)
    matrix = resident(xp, interpolation_matrix, neighbours, weights, bad, channels=traces.shape[1])
    filled[:, resident(xp, as_index, bad)] = xp.matmul(filled, matrix)
    return filled


def interpolation_matrix(
    neighbours: NDArray[np.integer], weights: NDArray[np.floating], bad: NDArray[np.integer], *, channels: int
) -> NDArray[np.float32]:
    """Weights of all channels (channel, bad channel).

    Raises
    ------
    ValueError
        If shapes disagree, an index is out of range, or a neighbour is bad.

    Examples
    --------
    >>> interpolation_matrix(np.array([[0, 2]]), np.array([[0.5, 0.5]]), np.array([1]), channels=3).tolist()
    [[0.5], [0.0], [0.5]]
    """
    broken, near = checked_neighbours(neighbours, weights, bad, channels=channels)
    matrix = np.zeros((channels, len(broken)), np.float32)
    for row in range(len(broken)):
        used = near[row] >= 0
        np.add.at(matrix[:, row], near[row, used], weights[row, used])
    return matrix
