"""Constants that several kernels use equal the values from which they are derived."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from xephys.kernels.lib.constants import MAD_OF_NORMAL


def test_the_median_absolute_deviation_of_the_normal_distribution():
    assert norm.ppf(0.75) == pytest.approx(MAD_OF_NORMAL, rel=1e-15)
