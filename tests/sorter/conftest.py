"""The small recording that the tests of the sorter share."""

from .small import expected, opened, simulated

__all__ = ["expected", "opened", "simulated"]
