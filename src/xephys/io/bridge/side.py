"""What the arrays of an analysis and of SpikeInterface's analyzer refer to, and the parameters of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """What the arrays on both sides refer to.

    Attributes
    ----------
    rate
        Sampling frequency in hertz.
    unit_ids
        Names of the units, in order.
    channels
        ``(unit, slot)``: channels of each unit, ascending and padded with -1.
    n_channels
        Number of channels of the recording.
    order
        Positions of the analyzer's spikes in order of segment and sample.
    """

    rate: float
    unit_ids: NDArray[Any]
    channels: NDArray[np.int32]
    n_channels: int
    order: NDArray[np.int64]


class Given(NamedTuple):
    """An extension for an analyzer: its parameters and its data."""

    parameters: dict[str, Any]
    data: Arrays


def parameters_of(node: xr.Dataset) -> dict[str, Any]:
    """The recorded parameters of a node."""
    return dict(json.loads(node.attrs.get("parameters", "{}")))


def renamed(known: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The values that have a name on the other side, under that name.

    Examples
    --------
    >>> renamed({"lag_ms": 2.0, "needs": {}}, {"lag_ms": "max_lag_ms", "support": "support"})
    {'max_lag_ms': 2.0}
    """
    return {theirs: known[ours] for ours, theirs in names.items() if ours in known}
