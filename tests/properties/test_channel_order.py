"""Estimates follow the names of channels: on a recording with its channels in another order, they count or are refused.

An operation that is given what was estimated on the channels in one order, and a recording with them in another, has
the result of that order, or says what does not fit.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.graph.events import SpikeTable

from . import channel_order
from .channel_order import CALLS, WITHOUT_CHANNELS
from .operations import TABLES, TRANSFORMS, recording

ORDER = [3, 0, 7, 1, 6, 2, 5, 4]
#: Of ``operations.py``: what is given there by position, and so belongs to other channels in another order.
BY_POSITION = (
    "scale", "common_reference groups", "mark_bad_channels", "drop_bad_channels", "interpolate_bad_channels",
    "features of given peaks",
)  # fmt: skip
#: Its results depend on the order by design: noise that is drawn by position, and ties between equal distances.
BY_ORDER = ("silence_periods with noise",)

SHARED = {
    name: operation for name, operation in {**TRANSFORMS, **TABLES}.items() if name not in (*BY_POSITION, *BY_ORDER)
}


def of_names(result: Any, rec: xr.DataArray) -> Any:
    """The result with its channels by name, in one order."""
    if isinstance(result, SpikeTable):
        result = result.compute()
    if isinstance(result, np.ndarray) and result.dtype.names and "channel_index" in result.dtype.names:
        names = rec.channel.values[result["channel_index"]]
        order = np.lexsort([names, result["sample_index"]])
        amplitude = result["amplitude"] if "amplitude" in result.dtype.names else np.zeros(len(result))
        return {"sample": result["sample_index"][order], "channel": names[order], "amplitude": amplitude[order]}
    if isinstance(result, xr.DataArray) and "channel" in result.dims:
        names = [name for name in recording().channel.values if name in result.channel.values]
        return {"values": result.sel(channel=names).values}
    if isinstance(result, xr.Dataset) and "channel" not in result.dims:
        return {str(name): variable.values for name, variable in result.data_vars.items()}
    raise AssertionError(f"how to compare {type(result).__name__} is not said")


def follow_or_refuse(operation: Any) -> None:
    moved = recording().isel(channel=ORDER)
    try:
        result = operation(moved)
    except (RecordingError, ParameterError) as error:
        assert "other" in str(error), error
        operation(recording())
        return
    expected, got = of_names(operation(recording()), recording()), of_names(result, moved)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-3, atol=1e-2, err_msg=name)


@pytest.mark.parametrize("key", CALLS, ids=" ".join)
def test_what_is_given_beside_a_recording_follows_the_names_of_channels(key):
    follow_or_refuse(CALLS[key])


@pytest.mark.parametrize("name", SHARED)
def test_operations_do_not_depend_on_the_order_of_channels(name):
    follow_or_refuse(SHARED[name])


def test_every_operation_with_a_recording_is_under_the_property():
    """A parameter that may hold a value for each channel is in the table, or is said to hold none."""
    missing = []
    for namespace in (xephys, xephys.realtime, xephys.curate):
        for name in dir(namespace):
            function = getattr(namespace, name)
            if not inspect.isfunction(function) or "recording" not in (known := inspect.signature(function).parameters):
                continue
            for parameter in known.values():
                kind = str(parameter.annotation)
                may = any(word in kind for word in ("xr.", "Any", "NDArray", "np.ndarray", "Records"))
                here = any(key[0] == name and parameter.name in key[1].split() for key in CALLS)
                call = f"{name}({parameter.name})"
                if may and not {parameter.name, call} & {"recording", *WITHOUT_CHANNELS} and not here:
                    missing.append(call)
    assert not missing


def test_templates_say_how_to_bring_the_recording_into_their_order():
    from .operations import fitted

    templates, moved = fitted()["templates"], xephys.bandpass_filter(recording().isel(channel=ORDER))
    with pytest.raises(RecordingError, match=r"templates: made on these channels in another order.*sel"):
        xephys.match_templates(moved, templates=templates)
    again = xephys.match_templates(moved.sel(channel=templates.channel), templates=templates).compute()
    assert again.tobytes() == channel_order.CALLS["match_templates", "templates"](recording()).compute().tobytes()
    others = moved.assign_coords(channel=[f"c{k}" for k in range(8)])
    with pytest.raises(RecordingError, match=r"templates: made on other channels .* than the recording's .c0 to c7."):
        xephys.match_templates(others, templates=templates)
