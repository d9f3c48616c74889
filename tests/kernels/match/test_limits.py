"""Limits of a match are checked, and converted to the form that the pursuit compares."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.limits import checked_limits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amplitude_min": 0.0}, "amplitude_min is 0.0"),
        ({"amplitude_max": 0.9}, "amplitude_max 0.9"),
        ({"match_threshold": -1.0}, "match_threshold is -1.0"),
        ({"amplitude_std": 0.0}, "amplitude_std 0.0"),
    ],
)
def test_limits_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_limits(**options)


def test_the_prior_is_its_precision() -> None:
    assert checked_limits(amplitude_std=0.5).amplitude_precision == 4.0
    assert checked_limits(amplitude_std=np.inf).amplitude_precision == 0.0
