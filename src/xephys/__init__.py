"""Spike sorting as a lazy dataflow on chunked, labelled arrays.

Public names are listed in ``__init__.pyi`` and imported on first use, so ``import xephys`` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module

from .lazy import attach_stub

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach_stub(
    __name__,
    __file__,
    wrappers={"Functions of a recording that return a recording": ".recording.segments:each_segment"},
)
__all__ += ["__version__"]

if "xarray" in sys.modules:  # otherwise the first module that needs Xarray does this: importing it takes longest
    import_module(".accessor", __name__)
