"""Sortings beside each other: with the truth, two of which neither is the truth, or several."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
