"""Sort in real time: learn sequences from a few minutes, then assign spikes to them in milliseconds."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
