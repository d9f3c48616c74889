"""Scaling, delays, references and whitening on a device: each as a few operations on whole tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import resident
from xephys.kernels.preprocess.reference_sets import reference_sets


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
