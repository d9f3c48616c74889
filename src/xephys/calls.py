"""Operations record their calls: in a recording's history, in ``describe``, and in the names of tasks.

An operation may run others, as the band-pass runs the general filter; only the outermost call is recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .attributes import lines_of
from .unit_mark import MADE_ON, UNKNOWN_STEP, size_steps
from .written import show_value, write_call

P = ParamSpec("P")
T = TypeVar("T")

#: Attribute of a recording: the calls that made it, in order, a line each (as the CF conventions have it).
HISTORY = "history"
#: Attribute of an estimate: the call that made it, the number of steps before that call, and a digest of its values.
MADE_BY = "made_by"

_CURRENT: ContextVar[str] = ContextVar("xephys_operation", default="")


def operation(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function of a recording so that its call becomes a step of the history of its result.

    If the function returns a recording, the call with all its parameters becomes the last step of that recording's
    history. If it returns an estimate (any other labelled array), the estimate carries the call that made it, so that a
    step that uses the estimate can be replayed.
    """
    kinds = signature(function).parameters
    first = next(iter(kinds))

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if _CURRENT.get():
            return function(*args, **kwargs)
        bound = signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        recording = given.pop(first)
        for name in [name for name in given if kinds[name].kind is Parameter.VAR_KEYWORD]:
            given |= given.pop(name)
        shown = ", ".join(f"{name}={show_value(value)}" for name, value in given.items() if value is not None)
        token = _CURRENT.set(f"{function.__name__}({shown})")
        try:
            result = function(*args, **kwargs)
        finally:
            _CURRENT.reset(token)
        _sign(result, recording, function.__name__, given)
        return result

    call.is_operation = True  # type: ignore[attr-defined]
    return call


def current_call() -> str:
    """The call of the running operation, as text; empty outside of any operation."""
    return _CURRENT.get()


def history_of(recording: Any) -> list[str]:
    """The steps that made a recording, read from its attributes."""
    return lines_of(getattr(recording, "attrs", {}).get(HISTORY))


def made_by(estimate: Any, history: list[str]) -> str | None:
    """The call that made an estimate on a recording whose history begins with these steps.

    None if the values of the estimate have changed since. The call's first argument, ``after``, is the number of steps.
    """
    known = getattr(estimate, "attrs", {}).get(MADE_BY)
    if not isinstance(known, str) or known.count("#") < 2:
        return None
    text, after, digest = known.rsplit("#", 2)
    if not after.isdecimal() or int(after) > len(history):
        return None
    return text if digest == _digest(estimate, history[: int(after)]) else None


def _sign(result: Any, recording: Any, name: str, given: Mapping[str, Any]) -> None:
    """Record in the attributes of a result how it was made."""
    attributes = getattr(result, "attrs", None)
    if not isinstance(attributes, dict) or result is recording:
        return
    history = history_of(recording)
    if "sampling_frequency" in attributes and tuple(getattr(result, "dims", ())) == ("time", "channel"):
        own = history_of(result)[len(history) :]
        history += own[:1] if own[:1] == [UNKNOWN_STEP] else []
        attributes[HISTORY] = "\n".join([*history, _step(name, given, history)])
    elif _CURRENT.get() == "":
        try:
            text = write_call(name, {"after": len(history), **given})
        except TypeError:
            return  # an argument that text cannot hold, such as excerpts of traces
        attributes[MADE_BY] = f"{text}#{len(history)}#{_digest(result, history)}"
        if getattr(recording, "dims", None) == ("time", "channel"):
            attributes[MADE_ON] = "\n".join(size_steps(recording))


def _step(name: str, given: Mapping[str, Any], history: list[str]) -> str:
    """A call with all its arguments; estimates are written as the calls that made them."""
    made = {key: made_by(value, history) for key, value in given.items()}
    plain = {key: value for key, value in given.items() if made[key] is None}
    try:
        text = write_call(name, plain)
    except TypeError as error:
        shown = ", ".join(f"{key}={show_value(value)}" for key, value in plain.items() if value is not None)
        return f"{name}({shown})  # {error}"
    estimates = ", ".join(f"{key}={call}" for key, call in made.items() if call is not None)
    return f"{text[:-1]}{', ' if estimates and not text.endswith('()') else ''}{estimates})"


def _digest(estimate: Any, history: list[str]) -> str:
    digest = hashlib.sha1(repr(history).encode(), usedforsecurity=False)
    variables = estimate.data_vars.values() if hasattr(estimate, "data_vars") else [estimate]
    for variable in variables:
        values = np.asarray(variable.values)
        digest.update(f"{variable.name}{variable.dims}{values.dtype.str}{values.shape}".encode())
        digest.update(
            repr(values.tolist()).encode() if values.dtype.hasobject else np.ascontiguousarray(values).tobytes()
        )
    return digest.hexdigest()[:16]
