"""The same small recording as in the tests of the sorter."""

from tests.sorter.small import expected, opened, simulated

__all__ = ["expected", "opened", "simulated"]
