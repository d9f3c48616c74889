"""Compare sortings: with the truth, with each other if neither is the truth, or several at once."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
