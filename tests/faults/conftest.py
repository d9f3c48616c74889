"""The same small recording as in the tests of the sorter."""

from tests.support.small_recording import expected, opened, simulated

__all__ = ["expected", "opened", "simulated"]
