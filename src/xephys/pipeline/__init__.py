"""From many files to sorted, curated, compiled units: configuration, batches, and failures by their cause."""

from __future__ import annotations

from ..lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
