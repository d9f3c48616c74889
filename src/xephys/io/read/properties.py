"""Convert SpikeInterface's properties to coordinates on ``channel`` and back, losing neither names nor dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ...attributes import as_text, from_text
from .probe import PROBE_COORDINATES

#: SpikeInterface's names for properties that are called something else here.
_RENAMED = {"gain_to_uV": "gain_to_uv", "offset_to_uV": "offset_to_uv"}
#: Kinds of NumPy types that hold dates or times between them.
DATES = "mM"
_RESERVED = {*PROBE_COORDINATES, "channel", "time", *_RENAMED.values()}


def coordinates_of_properties(properties: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Coordinates, and the attributes needed to convert them back.

    A property with several dimensions becomes an object coordinate of its rows, so that it can be on ``channel`` and be
    sliced along it. A property whose name means something else here is called ``property_<name>``. Xarray stores dates
    in seconds or finer, so their own unit is noted.
    """
    coordinates: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    stacked: list[str] = []
    dated: dict[str, str] = {}
    for key, values in properties.items():
        name = _RENAMED.get(key, key)
        if key in _RESERVED:
            name = f"property_{key}"
            renamed[name] = key
        values = np.asarray(values)
        if values.dtype.kind in DATES:
            dated[name] = values.dtype.str
            values = storable_dates(values)
        if values.ndim > 1:
            stacked.append(name)
            values = _rows(values)
        coordinates[name] = values
    notes = {"renamed_properties": renamed, "stacked_properties": stacked, "dated_properties": dated}
    return coordinates, {name: as_text(note) for name, note in notes.items() if note}


def properties_of(recording: xr.DataArray) -> dict[str, Any]:
    """The coordinates on ``channel`` as SpikeInterface properties, under its names and without those of the probe."""
    back = {ours: theirs for theirs, ours in _RENAMED.items()}
    original = from_text(recording.attrs.get("renamed_properties"), {})
    stacked = from_text(recording.attrs.get("stacked_properties"), [])
    dated = from_text(recording.attrs.get("dated_properties"), {})
    properties: dict[str, Any] = {}
    for name, coordinate in recording.coords.items():
        if coordinate.dims != ("channel",) or name == "channel" or name in PROBE_COORDINATES:
            continue
        values = coordinate.values
        key = original.get(name, back.get(str(name), str(name)))
        values = np.stack(list(values)) if name in stacked else values
        properties[key] = values.astype(dated[name]) if name in dated else values
    return properties


def storable_dates(values: Any) -> Any:
    """Dates as they are, and numbers of years or months, which have no length in seconds, as plain numbers.

    Examples
    --------
    >>> storable_dates(np.array([3], "timedelta64[M]")).tolist()
    [3]
    """
    return values.astype(np.int64) if values.dtype.str.endswith(("m8[Y]", "m8[M]")) else values


def _rows(values: Any) -> Any:
    out = np.empty(len(values), object)
    for k, row in enumerate(values):
        out[k] = row
    return out
