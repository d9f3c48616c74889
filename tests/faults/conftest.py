"""The small recording that the tests of the sorter use."""

from tests.support.small_recording import expected, opened, simulated

__all__ = ["expected", "opened", "simulated"]
