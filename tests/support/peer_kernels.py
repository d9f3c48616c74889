"""Functions that SpikeInterface and pynapple compile are kept on disk, like those of this package."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

PACKAGES = ("spikeinterface", "pynapple")


def keep_peer_kernels() -> None:
    """Let Numba keep what it compiles of packages that are imported from now on.

    Tests in many processes compare with a few functions, each of which takes up to two seconds to compile.
    """
    from numba.core.dispatcher import Dispatcher

    make = Dispatcher.__init__

    def make_and_keep(self: Any, py_func: Any, *args: Any, **kwargs: Any) -> None:
        make(self, py_func, *args, **kwargs)
        if py_func.__module__.partition(".")[0] in PACKAGES:
            with suppress(RuntimeError):  # the package may lie where nothing can be written
                self.enable_caching()

    Dispatcher.__init__ = make_and_keep
