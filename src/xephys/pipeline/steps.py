"""Preprocessing steps as a list, a file or an object that can be stored and applied again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypeAlias

import xarray as xr

from ..checks import hint_for
from ..errors import ParameterError
from ..provenance import NEUTRAL, public_operations, replay, steps_of
from ..recording.segments import segments_of, tree_of
from ..unit_mark import UNKNOWN_STEP
from ..written import read_call, write_call, write_value

#: A step: its name, its name with parameters, or its call as text.
Step: TypeAlias = str | tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Pipeline:
    """Checked preprocessing steps: ``pipeline(recording)`` applies them.

    :func:`xephys.history_text` converts one to text, which :func:`make_pipeline` and :func:`xephys.replay` read.

    Attributes
    ----------
    steps
        Calls as text, in order.
    """

    steps: tuple[str, ...]

    def __call__(self, recording: xr.DataArray) -> xr.DataArray:
        """The recording after the last step, lazily."""
        return replay(list(self.steps), recording)

    def __repr__(self) -> str:
        return "\n".join(["<Pipeline", *(f"  {step}" for step in self.steps), ">"])

    def __len__(self) -> int:
        return len(self.steps)


def make_pipeline(steps: Sequence[Step] | Pipeline | str | Path | xr.DataArray) -> Pipeline:
    """Combine preprocessing steps into one object, after checking that all of them and their parameters exist.

    Parameters
    ----------
    steps
        A list of names of operations, ``(name, parameters)``, or calls as text, such as
        ``"bandpass_filter(freq_min_hz=300)"``; the path of a TOML or JSON file with such a list named ``steps``; the
        output of :func:`xephys.history_text`; or a recording, whose steps are used. A parameter may be a function that
        makes an estimate, such as :func:`xephys.estimate_whitening` or a :class:`functools.partial` of it; it is called
        on the recording after the preceding steps.

    Returns
    -------
    Pipeline

    Raises
    ------
    ParameterError
        If a step or parameter does not exist (the nearest name is suggested), or a value cannot be written.

    Examples
    --------
    >>> import xephys
    >>> pipeline = make_pipeline([
    ...     ("bandpass_filter", {"freq_min_hz": 300.0}),
    ...     "common_reference",
    ...     ("whiten", {"whitening": xephys.estimate_whitening}),
    ... ])
    >>> pipeline
    <Pipeline
      bandpass_filter(freq_min_hz=300.0)
      common_reference()
      whiten(whitening=estimate_whitening())
    >
    >>> make_pipeline(xephys.history_text(pipeline)) == pipeline
    True
    """
    if isinstance(steps, Pipeline):
        return steps
    if isinstance(steps, (str, Path, xr.DataArray)):
        return Pipeline(_checked(steps_of(steps)))
    return Pipeline(_checked([_text_of(step) for step in steps]))


def apply_pipeline(
    recording: xr.DataArray | xr.DataTree, steps: Sequence[Step] | Pipeline | str | Path | xr.DataArray
) -> Any:
    """Apply preprocessing steps, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``; or a DataTree of segments, to which the steps are applied separately,
        including estimates.
    steps
        As in :func:`make_pipeline`.

    Returns
    -------
    The recording after the last step, with the steps in its ``history``.

    Raises
    ------
    ParameterError
        If a step or parameter does not exist (the nearest name is suggested), or a value is outside its limits.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> done = apply_pipeline(recording, ["highpass_filter(freq_min_hz=300)", "common_reference"])
    >>> [step.partition("(")[0] for step in done.attrs["history"].splitlines()]
    ['highpass_filter', 'common_reference']
    """
    pipeline = make_pipeline(steps)
    segments = [pipeline(segment) for segment in segments_of(recording)]
    return tree_of(segments) if isinstance(recording, xr.DataTree) else segments[0]


def _text_of(step: Step) -> str:
    """One step of a list as a call."""
    if isinstance(step, str):
        return step if "(" in step else f"{step}()"
    if not isinstance(step, (tuple, list)) or len(step) != 2 or not isinstance(step[1], Mapping):
        raise ParameterError(f"{step!r} is not a step; give a name, or (name, {{parameter: value}})")
    name, parameters = step
    try:
        values = {key: _value(value) for key, value in parameters.items() if value is not None}
    except TypeError as error:
        raise ParameterError(f"step {name!r} cannot be stored: {error}; give values, or what makes them") from error
    return f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})"


def _value(value: Any) -> str:
    function, named = (value.func, value.keywords) if isinstance(value, partial) else (value, {})
    if callable(function) and not isinstance(function, type):
        return write_call(function.__name__, named)
    return write_value(value)


def _checked(steps: list[str]) -> tuple[str, ...]:
    """The steps, after checking that every operation and parameter is known."""
    known = public_operations()
    for number, text in enumerate(steps, 1):
        if text == UNKNOWN_STEP:
            continue  # refused when it is applied, with a remedy
        name, arguments = read_call(text, readers={each: partial(_estimate, each) for each in known})
        _check_call(name, arguments, known, number=number)
    return tuple(steps)


def _estimate(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if given:
        raise ParameterError(f"{name}{given!r} is not a call by names; write {name}(parameter=value)")
    known = public_operations()
    _check_call(name, {key: value for key, value in named.items() if key != "after"}, known, number=None)
    return name


def _check_call(
    name: str, arguments: Mapping[str, Any], known: Mapping[str, Callable[..., Any]], *, number: int | None
) -> None:
    where = "" if number is None else f"step {number}, "
    if name not in known:
        if name in NEUTRAL:
            return
        raise ParameterError(f"{where}{name!r}, is not an operation of xephys{hint_for(name, known)}")
    kinds = signature(known[name]).parameters
    names = list(kinds)[1:]
    if any(kind.kind is Parameter.VAR_KEYWORD for kind in kinds.values()):
        return
    for key in arguments:
        if key not in names:
            raise ParameterError(
                f"{where}{name}, has no parameter {key!r}; it has {', '.join(names) or 'none'}{hint_for(key, names)}"
            )
