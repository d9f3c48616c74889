"""Announce the first compilation of kernels on a machine, which takes an unexpected minute."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

#: Package whose functions are kernels.
KERNELS = "xephys.kernels"
MESSAGE = "compiling kernels for this machine: once, and it takes a minute or two"

_heard: list[Any] = []


def announce_compilation() -> None:
    """Log a line, once per process, when a kernel is compiled for the first time on this machine.

    Numba caches compiled kernels in files, so this happens once after an installation. The line goes to the logger
    ``xephys``, which prints to the error stream unless logging is set up otherwise.
    """
    if _heard or "numba" not in sys.modules:
        return
    from numba.core import event

    class Listener(event.Listener):
        def __init__(self) -> None:
            self.silent = False

        def on_start(self, event: Any) -> None:
            if not self.silent and is_new(event.data.get("dispatcher")):
                self.silent = True
                logging.getLogger("xephys").warning(MESSAGE)

        def on_end(self, event: Any) -> None:
            pass

    _heard.append(Listener())
    event.register("numba:compile", _heard[0])  # type: ignore[no-untyped-call]


def is_new(dispatcher: Any) -> bool:
    """Whether a compiled function is a kernel without a cached version on this machine."""
    module = getattr(getattr(dispatcher, "py_func", None), "__module__", None) or ""
    # Numba's cache file. A function without one is compiled in every process.
    index = getattr(getattr(getattr(dispatcher, "_cache", None), "_cache_file", None), "_index_path", None)
    return module.startswith(KERNELS) and index is not None and not Path(index).exists()
