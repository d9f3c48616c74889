"""How an operation lengthens a recording: the few lines that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from . import schema
from .errors import ParameterError
from .graph.build import extend, plan_of, root_plan
from .graph.plan import Plan, Stage


def extend_recording(recording: xr.DataArray, stage: Stage, *, units: str | None = None) -> xr.DataArray:
    """The recording with one trace stage more; coordinates kept, units set, history lengthened."""
    info = schema.validate_recording(recording)
    data = extend(as_lazy(recording), stage, sampling_frequency=info.sampling_frequency)
    return schema.wrap_like(recording, data, step=describe_step(stage), units=units)


def recording_plan(recording: xr.DataArray) -> Plan:
    """The plan of a recording, or a new one on top of its opaque array."""
    info = schema.validate_recording(recording)
    return root_plan(as_lazy(recording), sampling_frequency=info.sampling_frequency)


def as_lazy(recording: xr.DataArray) -> Any:
    """The Dask array of a recording; in-memory traces are chunked in two-second pieces."""
    if recording.chunks is not None:
        return recording.data
    rate = float(recording.attrs["sampling_frequency"])
    return recording.chunk({"time": max(1, round(2.0 * rate)), "channel": -1}).data


def describe_step(stage: Stage) -> str:
    """One line of a recording's history."""
    given = ", ".join(f"{key}={value!r}" for key, value in stage.parameters.items())
    return f"{stage.name}({given})"


def check_corner(name: str, value_hz: float, sampling_frequency: float) -> None:
    """A corner frequency must lie strictly between 0 and the Nyquist frequency."""
    nyquist = sampling_frequency / 2
    if not np.isfinite(value_hz) or not 0 < value_hz < nyquist:
        raise ParameterError(
            f"{name} is {value_hz:g} Hz; it must lie between 0 and the Nyquist frequency, {nyquist:g} Hz, "
            f"of this {sampling_frequency:g} Hz recording"
        )


def check_positive(**values: float) -> None:
    """Numbers that must be greater than zero."""
    for name, value in values.items():
        if not np.isfinite(value) or value <= 0:
            raise ParameterError(f"{name} is {value!r}; it must be greater than 0")


def check_choice(name: str, value: str, choices: Mapping[str, Any] | tuple[str, ...]) -> None:
    """A name out of a fixed list; the error proposes the nearest."""
    if value in choices:
        return
    near = nearest_name(value, choices)
    hint = f"; did you mean {near!r}?" if near else ""
    raise ParameterError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}{hint}")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that someone who wrote ``name`` probably meant; None if none is near.

    Examples
    --------
    >>> nearest_name("detect_treshold", ["match_threshold", "detect_threshold"]), nearest_name("x", ["seed"])
    ('detect_threshold', None)
    """
    from difflib import get_close_matches

    near = get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return near[0] if near else None


def same_traces(recording: xr.DataArray, plan: Plan | None) -> bool:
    """Whether an event plan runs over exactly this recording's traces."""
    own = plan_of(recording.data) if recording.chunks is not None else None
    if own is None or plan is None:
        return False
    return (own.source.token, [s.token for s in own.stages], own.start, own.chunks) == (
        plan.source.token,
        [s.token for s in plan.trace_stages],
        plan.start,
        plan.chunks,
    )
