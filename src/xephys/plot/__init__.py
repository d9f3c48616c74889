"""Figures. Functions import Matplotlib when called, and return its Axes."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
