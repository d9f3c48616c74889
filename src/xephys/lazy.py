"""Public names from a stub: the names in ``__init__.pyi`` are imported on first use, so importing costs little.

Type checkers, editors, the accessor and the API page read the same list (Scientific Python's SPEC 1).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

_LINE = re.compile(r"^from (?P<module>\.[\w.]*) import (?P<name>\w+) as (?P=name)$|^# (?P<block>.*)$", re.MULTILINE)


class PublicName(NamedTuple):
    """A public name's module, relative to its package, and the comment that heads its block of the stub."""

    module: str
    block: str


def read_stub(stub: Path) -> dict[str, PublicName]:
    """Every public name that a package's stub declares, in order.

    Parameters
    ----------
    stub
        A file of lines ``from .module import name as name``, in blocks that each begin with a comment.

    Examples
    --------
    >>> import xephys
    >>> read_stub(Path(xephys.__file__).with_suffix(".pyi"))["bandpass_filter"].module
    '.preprocess.filter'
    """
    names, block = {}, ""
    for line in _LINE.finditer(stub.read_text(encoding="utf-8")):
        if line["block"] is not None:
            block = line["block"]
        else:
            names[line["name"]] = PublicName(line["module"], block)
    return names


def attach_stub(
    package: str, file: str, *, wrappers: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` for a package whose ``__init__.pyi`` lists its public names.

    Functions are wrapped so that a wrong call gets an error of one clear sentence (see ``wrong_calls``).

    Parameters
    ----------
    package, file
        ``__name__`` and ``__file__`` of the package.
    wrappers
        Maps the start of a block's comment to ``"module:function"``. That function wraps every public name of the
        block.
    """
    names = read_stub(Path(file).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if name not in names:
            from .checks import hint_for

            hint = "" if name.startswith("_") else hint_for(name, names)
            raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")
        module = names[name].module
        value = import_module(f".{name}", package) if module == "." else getattr(import_module(module, package), name)
        for block, wrapper in (wrappers or {}).items():
            if names[name].block.startswith(block):
                place, _, own = wrapper.partition(":")
                value = getattr(import_module(place, package), own)(value)
                value.__module__ = package  # where pickle will look for it
        if isinstance(value, FunctionType):
            from .wrong_calls import explained

            value = explained(value, package=package)
        # Stored in the package so that later uses cost no call and a submodule of the same name cannot replace it.
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(names), list(names)
