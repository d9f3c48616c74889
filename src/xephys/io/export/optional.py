"""Packages that only some exporters need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str, *, extra: str, what: str) -> Any:
    """Import an optional package when it is needed.

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra to install.

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
