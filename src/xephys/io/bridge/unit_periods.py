"""Convert valid periods of units: a grid of windows for all units here, a list of periods of each unit there."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .side import Given, Side, parameters_of, renamed

#: SpikeInterface's names of our parameters.
_NAMES = {
    "window_s": "period_duration_s_absolute",
    "margin": "relative_margin_size",
    "fp_max": "fp_threshold",
    "fn_max": "fn_threshold",
    "duration_s_min": "minimum_valid_period_duration",
    "refractory_ms": "refractory_period_ms",
    "censored_ms": "censored_period_ms",
}


def give_periods(node: xr.Dataset, side: Side) -> Given:
    """Adjoining valid windows become one period, and every window of every unit is listed with its shares.

    Examples
    --------
    >>> node = xr.Dataset(
    ...     {
    ...         "valid": (("unit", "window"), [[True, True, False]]),
    ...         "false_positives": (("unit", "window"), [[0.0, 0.0, 0.5]]),
    ...         "false_negatives": (("unit", "window"), [[0.0, 0.1, 0.0]]),
    ...     },
    ...     coords={
    ...         "segment": ("window", [0, 0, 0]),
    ...         "start": ("window", [5, 15, 25]),
    ...         "stop": ("window", [15, 25, 30]),
    ...     },
    ... )
    >>> one = np.empty(0, np.int64)
    >>> give_periods(node, Side(30_000.0, one, one, 1, one)).data["valid_unit_periods"].tolist()
    [(0, 0, 20, 0)]
    """
    segment = node["segment"].values.astype(np.int64)
    firsts = np.array([node["start"].values[segment == k].min() for k in range(segment.max(initial=-1) + 1)], np.int64)
    offset = firsts[segment] if len(segment) else np.zeros(0, np.int64)  # samples there count from the segment's start
    start, stop = node["start"].values - offset, node["stop"].values - offset
    order = np.argsort(segment, kind="stable")
    listed = [
        (number, unit, window)
        for number in range(len(firsts))
        for unit in range(node.sizes["unit"])
        for window in order[segment[order] == number]
    ]
    numbers, units, windows = np.array(listed, np.int64).reshape(-1, 3).T
    every = _table(numbers, start[windows], stop[windows], units)
    valid = node["valid"].values[units, windows]
    follows = valid[1:] & valid[:-1] & (units[1:] == units[:-1]) & (numbers[1:] == numbers[:-1])
    begins = np.flatnonzero(valid & ~np.concatenate([[False], follows])[: len(valid)])
    ends = np.flatnonzero(valid & ~np.concatenate([follows, [False]])[: len(valid)])
    joined = _table(
        numbers[begins], every["start_sample_index"][begins], every["end_sample_index"][ends], units[begins]
    )
    return Given(
        {"method": "false_positives_and_negatives", "period_mode": "absolute", **renamed(parameters_of(node), _NAMES)},
        {
            "valid_unit_periods": joined,
            "all_periods": every,
            "fps": node["false_positives"].values[units, windows],
            "fns": node["false_negatives"].values[units, windows],
        },
    )


def take_periods(extension: Any, side: Side) -> xr.Dataset | None:
    """The grid of windows; None if the units have windows of their own, or if the periods were given by hand."""
    every = extension.data.get("all_periods")
    n_units = len(side.unit_ids)
    if every is None or not n_units or len(every) % n_units:
        return None
    order = np.lexsort((every["start_sample_index"], every["segment_index"], every["unit_index"]))
    table = np.asarray(every)[order].reshape(n_units, -1)
    names = ("segment_index", "start_sample_index", "end_sample_index")
    if any((table[name] != table[name][0]).any() for name in names):
        return None
    segment, start, stop = (table[name][0].astype(np.int64) for name in names)
    valid = np.zeros(table.shape, bool)
    for period in np.asarray(extension.data["valid_unit_periods"]):
        inside = (start >= period["start_sample_index"]) & (stop <= period["end_sample_index"])
        valid[period["unit_index"], inside & (segment == period["segment_index"])] = True
    dims = ("unit", "window")
    shares = {ours: np.asarray(extension.data[theirs])[order] for ours, theirs in _SHARES.items()}
    return xr.Dataset(
        {**{name: (dims, values.reshape(table.shape)) for name, values in shares.items()}, "valid": (dims, valid)},
        coords={"segment": ("window", segment), "start": ("window", start), "stop": ("window", stop)},
    )


_SHARES = {"false_positives": "fps", "false_negatives": "fns"}


def _table(
    segment: NDArray[np.int64], start: NDArray[np.int64], stop: NDArray[np.int64], unit: NDArray[np.int64]
) -> NDArray[np.void]:
    from spikeinterface.core.base import unit_period_dtype

    table = np.zeros(len(unit), unit_period_dtype)
    table["segment_index"], table["unit_index"] = segment, unit
    table["start_sample_index"], table["end_sample_index"] = start, stop
    return table
