"""dartsort's interface over this package: its main call, its configuration and its data objects."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
