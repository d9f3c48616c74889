"""Limits of a match are checked, and converted to the form that the pursuit compares."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.limits import checked_limits, minimum_scores
from xephys.kernels.match.pairs import amplitude_and_gain


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


@pytest.mark.parametrize("limits", [{}, {"noise_gain": 2.5}, {"amplitude_std": 0.05}, {"match_threshold": 9.0}])
def test_the_smallest_score_gains_the_threshold(limits):
    """Just below it, a spike does not count, or is smaller than the smallest permitted amplitude."""
    checked = checked_limits(**limits)
    energies = np.array([30.0, 100.0, 900.0])
    scores = minimum_scores(energies, limits=checked)
    for energy, score in zip(energies, scores.astype(float), strict=True):
        amplitude, gain = amplitude_and_gain.py_func(energy, checked, score)
        assert gain >= checked.match_threshold**2 * (1 - 1e-5)
        free = (score + checked.amplitude_precision * checked.noise_gain) / (
            energy + checked.amplitude_precision * checked.noise_gain
        )
        at_smallest = abs(free - checked.amplitude_min) < 1e-5
        assert at_smallest or gain == pytest.approx(checked.match_threshold**2, rel=1e-4)
        assert amplitude <= checked.amplitude_max
