"""The small recording that the tests of the sorter share, and noise alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.quiet import RATE

from ..support.small_recording import expected, opened, simulated

__all__ = ["expected", "opened", "simulated"]


@pytest.fixture(scope="module")
def noise():
    """30 s of white noise on four channels: nothing to find."""
    return np.random.default_rng(0).normal(0, 10, (30 * RATE, 4)).astype("f4")
