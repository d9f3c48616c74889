"""Attributes that are not plain numbers or text, stored as JSON text so that netCDF and Zarr can hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_text(value: Any) -> Any:
    """A mapping or list as JSON text where JSON can represent all of it; anything else unchanged.

    Examples
    --------
    >>> as_text({"days": [1, 2]}), as_text(3)
    ('{"days": [1, 2]}', 3)
    """
    if not isinstance(value, (Mapping, list)):
        return value
    try:
        text = json.dumps(value, sort_keys=True)  # sorted, as Zarr does
        return text if json.loads(text) == value else value
    except (TypeError, ValueError):
        return value


def from_text(value: Any, default: Any) -> Any:
    """The value that :func:`as_text` encoded; ``default`` if there is none.

    Examples
    --------
    >>> from_text('{"days": [1, 2]}', {}), from_text(None, []), from_text({"a": 1}, {})
    ({'days': [1, 2]}, [], {'a': 1})
    """
    if value is None:
        return default
    return json.loads(value) if isinstance(value, str) else value


def lines_of(value: Any) -> list[str]:
    """The lines of a string; of a list of strings, these: earlier versions stored a history as a list.

    Examples
    --------
    >>> lines_of(["a", "b"]), lines_of("a\\nb"), lines_of(None)
    (['a', 'b'], ['a', 'b'], [])
    """
    if value is None:
        return []
    return value.splitlines() if isinstance(value, str) else [str(line) for line in value]
