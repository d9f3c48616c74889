"""The node ``/templates`` of a sorting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ParameterError
from ..schema import channel_coordinate


def templates_node(templates: Any, channels: Mapping[str, Any], ids: Any, nbefore: int, rate: float) -> xr.Dataset:
    """The node ``/templates``: mean waveforms in µV with the identifiers and coordinates of their channels.

    Raises
    ------
    ParameterError
        If shapes do not fit together.

    Examples
    --------
    >>> node = templates_node(np.ones((1, 3, 2)), {"y": [0.0, 20.0]}, [7], 1, 1000.0)
    >>> node["templates"].dims, node["time_ms"].values.tolist()
    (('unit', 'sample', 'channel'), [-1.0, 0.0, 1.0])
    """
    values = np.asarray(templates, np.float32)
    n_channels = len(channels["channel"]) if "channel" in channels else values.shape[-1]
    if values.ndim != 3 or values.shape[0] != len(ids) or values.shape[2] != n_channels:
        raise ParameterError(
            f"templates have shape {values.shape} for {len(ids)} units and {n_channels} channels; give "
            "(unit, sample, channel)"
        )
    if not 0 <= nbefore < values.shape[1]:
        raise ParameterError(f"nbefore is {nbefore} for templates of {values.shape[1]} samples; give one of them")
    coordinates: dict[str, Any] = {"channel": np.arange(n_channels), "unit_id": ("unit", ids)}
    coordinates |= {name: channel_coordinate(name, known) for name, known in channels.items()}
    time_ms = (np.arange(values.shape[1]) - nbefore) / rate * 1e3
    coordinates["time_ms"] = ("sample", time_ms, {"units": "ms", "long_name": "time from the spike"})
    attributes = {"nbefore": int(nbefore), "units": "uV"}
    return xr.Dataset({"templates": (("unit", "sample", "channel"), values, attributes)}, coords=coordinates)
