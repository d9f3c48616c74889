"""Fields of a configuration: default, unit, limits and meaning in one place, checked when a group is made."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from ...checks import check_choice
from ...errors import ParameterError, warn_user


def setting(
    default: Any,
    unit: str = "",
    doc: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    instead: str = "",
) -> Any:
    """One field: its default, its unit, its meaning, and its limits, both included.

    ``instead`` says what replaces a field that has no effect here; a value other than the default warns with it.
    """
    metadata = {"unit": unit, "doc": doc, "low": low, "high": high, "choices": choices, "instead": instead}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Group:
    """Base of the groups: values have the declared type and lie within their limits.

    Raises
    ------
    ParameterError
        Names the field, the value and the limit.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for one in fields(self):
            name = f"{type(self).__name__}.{one.name}"
            value = checked(name, getattr(self, one.name), hints[one.name], one.metadata)
            object.__setattr__(self, one.name, value)
            if one.metadata.get("instead") and value != one.default:
                warn_user(f"{name}={value!r} has no effect here: {one.metadata['instead']}")


def checked(name: str, value: Any, hint: Any, metadata: Mapping[str, Any]) -> Any:
    """A value in its declared type, if it has it and lies within its limits.

    Examples
    --------
    >>> checked("fr_min", 1, float | None, {"low": 0.0, "high": None, "choices": ()})
    1.0
    """
    value = value.item() if isinstance(value, np.generic) else value
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if value is None and type(None) in kinds:
        return None
    converted = next((made for kind in kinds if (made := _as_kind(value, kind)) is not None), None)
    if converted is None:
        listed = " or ".join("None" if kind is type(None) else _name_of(kind) for kind in kinds)
        raise ParameterError(f"{name} is {value!r:.60}, a {type(value).__name__}; give {listed}")
    if metadata["choices"]:
        check_choice(name, converted, metadata["choices"])
    low, high = metadata["low"], metadata["high"]
    number = converted if isinstance(converted, Real) else 0.0
    below, above = low is not None and not number >= low, high is not None and not number <= high
    if isinstance(converted, Real) and (below or above):
        limits = [f"{word} {at:g}" for word, at in (("at least", low), ("at most", high)) if at is not None]
        raise ParameterError(f"{name} is {converted!r}; it must be {' and '.join(limits)}{_with_unit(metadata)}")
    return converted


def _as_kind(value: Any, kind: Any) -> Any:
    """The value as one kind; None if it is of another."""
    origin = get_origin(kind) or kind
    if origin is bool:
        return value if isinstance(value, bool) else None
    if origin is int:
        return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if origin is float:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
    if origin is str:
        return str(value) if isinstance(value, (str, Path)) else None
    if origin is tuple:
        return _as_tuple(value, get_args(kind))
    if origin is Mapping:
        return dict(value) if isinstance(value, Mapping) else None
    return None


def _as_tuple(value: Any, inner: tuple[Any, ...]) -> tuple[Any, ...] | None:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return None
    each = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else list(inner)
    if len(each) != len(value):
        return None
    made = [_as_kind(item, kind) for item, kind in zip(value, each, strict=True)]
    return None if any(item is None for item in made) else tuple(made)


def _name_of(kind: Any) -> str:
    names = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
    if kind in names:
        return names[kind]
    return "a list" if (get_origin(kind) or kind) is tuple else "values by name"


def _with_unit(metadata: Mapping[str, Any]) -> str:
    return f" {metadata['unit']}" if metadata.get("unit") else ""
