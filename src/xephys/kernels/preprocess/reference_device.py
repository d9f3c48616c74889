"""Scaling, delays, references and whitening on a device: each as a few operations on whole tiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import resident
from xephys.kernels.preprocess.reference_sets import QUIET_SHARE_MIN, SPREAD_MIN, reference_sets


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


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
    quiet_limits: NDArray[np.float32] | None = None,
) -> Any:
    """As `xephys.kernels.preprocess.reference.common_reference`: the same median, to the bit."""
    source = traces[before : len(traces) - after].astype(np.float32, copy=False)
    channels = source.shape[1]
    _, offsets, _ = reference_sets(channels, groups, reference_channels, good)
    places = resident(xp, _members, groups, reference_channels, good, channels=channels)
    levels = xp.zeros((len(source), len(offsets) - 1), dtype=np.float32)
    for group in range(len(offsets) - 1):
        first, last = int(offsets[group]), int(offsets[group + 1])
        if first == last:  # not referenced
            continue
        own = source if last - first == channels else source[:, places[first:last]]
        if quiet_limits is not None:
            limits = resident(xp, as_float32, quiet_limits)
            levels[:, group] = _quiet_level(xp, own, limits if own is source else limits[places[first:last]], operator)
        elif operator == "median":
            levels[:, group] = xp.median(own, axis=1)
        else:
            levels[:, group] = own.astype(np.float64).mean(axis=1)
    if levels.shape[1] == 1:
        return source - levels
    return source - levels[:, resident(xp, _labels, groups, channels=channels)]


def _quiet_level(xp: Any, values: Any, limits: Any, operator: str) -> Any:
    """The reference of each row: of the values within their limits or, if these are few, the quietest ones or all."""
    size, rows, magnitude = values.shape[1], xp.arange(len(values)), xp.abs(values)
    loud = magnitude > limits
    few = size - loud.sum(axis=1) < QUIET_SHARE_MIN * size
    ratios = xp.where(limits > 0, magnitude / xp.where(limits > 0, limits, np.float32(1)), np.float32(np.inf))
    ratios = xp.where(magnitude > 0, ratios, np.float32(0))
    ordered = xp.sort(ratios, axis=1)
    spread = ordered[:, 3 * size // 4] - ordered[:, size // 4] > np.float32(SPREAD_MIN) * ordered[:, size // 2]
    largest = xp.where(spread, ordered[:, math.ceil(QUIET_SHARE_MIN * size) - 1], np.float32(np.inf))
    loud = xp.where(few[:, None], ratios > largest[:, None], loud)
    n_quiet = size - loud.sum(axis=1)
    if operator == "average":
        return xp.where(loud, np.float32(0), values).astype(np.float64).sum(axis=1) / n_quiet
    ordered = xp.sort(xp.where(loud, np.float32(np.inf), values), axis=1)
    middle = (ordered[rows, (n_quiet - 1) // 2] + ordered[rows, n_quiet // 2]) / np.float32(2)
    return xp.where(xp.isnan(ordered[:, -1]), np.float32(np.nan), middle)


def _members(
    groups: NDArray[Any] | None, reference_channels: NDArray[Any] | None, good: NDArray[Any] | None, *, channels: int
) -> NDArray[np.int64]:
    return reference_sets(channels, groups, reference_channels, good)[0]


def _labels(groups: NDArray[Any] | None, *, channels: int) -> NDArray[np.int64]:
    return reference_sets(channels, groups, None, None)[2]
