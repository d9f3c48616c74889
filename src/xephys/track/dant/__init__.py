"""Density-based tracking of neurons across days, as DANT describes it, in memory that grows with the units."""

from __future__ import annotations

from ...lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
