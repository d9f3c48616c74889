"""Curation beyond single steps: rules with reasons, Bombcell's labels, and a curation whose steps can be undone."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
