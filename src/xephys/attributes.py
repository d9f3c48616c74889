"""Attributes that hold more than numbers and texts, as texts: netCDF and Zarr store them, whoever writes the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_text(value: Any) -> Any:
    """A mapping or list as JSON, if that says all of it; anything else as it is.

    Examples
    --------
    >>> as_text({"days": [1, 2]}), as_text(3)
    ('{"days": [1, 2]}', 3)
    """
    if not isinstance(value, (Mapping, list)):
        return value
    try:
        text = json.dumps(value, sort_keys=True)  # as Zarr sorts them
        return text if json.loads(text) == value else value
    except (TypeError, ValueError):
        return value


def from_text(value: Any, default: Any) -> Any:
    """What :func:`as_text` was given; the default where there is nothing.

    Examples
    --------
    >>> from_text('{"days": [1, 2]}', {}), from_text(None, []), from_text({"a": 1}, {})
    ({'days': [1, 2]}, [], {'a': 1})
    """
    if value is None:
        return default
    return json.loads(value) if isinstance(value, str) else value


def lines_of(value: Any) -> list[str]:
    """A list of texts, also from a text of lines: netCDF files of version 3 hold no lists of texts.

    Examples
    --------
    >>> lines_of(["a", "b"]), lines_of("a\\nb"), lines_of(None)
    (['a', 'b'], ['a', 'b'], [])
    """
    if value is None:
        return []
    return value.splitlines() if isinstance(value, str) else [str(line) for line in value]
