"""Packages that only some exporters need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str, *, extra: str, what: str) -> Any:
    """An optional package, imported when it is used.

    Raises
    ------
    ImportError
        If it is not installed; the sentence names the extra that brings it.

    Examples
    --------
    >>> needed("numpy", extra="x", what="this").__name__
    'numpy'
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{what} needs the package {package}, which is not installed; pip install 'xephys[{extra}]'"
        ) from error
