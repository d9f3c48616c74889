"""One spike in scores: its amplitude, gain and time between samples equal the sums that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.limits import checked_limits
from xephys.kernels.match.pairs import amplitude_and_gain, sub_sample_peak


@pytest.mark.parametrize("score", [20.0, 95.0, 140.0, 400.0])
@pytest.mark.parametrize("amplitude_std", [0.1, np.inf])
def test_the_amplitude_has_the_largest_gain(score, amplitude_std):
    """The gain is the drop of the squared residual, prior included; it is largest among all permitted amplitudes."""
    limits = checked_limits(amplitude_std=amplitude_std, noise_gain=2.0)
    energy, precision = 100.0, limits.amplitude_precision * limits.noise_gain
    amplitude, gain = amplitude_and_gain.py_func(energy, limits, score)
    tried = np.linspace(limits.amplitude_min, limits.amplitude_max, 4001)
    drop = 2 * tried * score - tried**2 * energy - precision * (tried - 1) ** 2
    assert amplitude == pytest.approx(tried[drop.argmax()], abs=1e-3)
    assert gain == pytest.approx(drop.max() / limits.noise_gain, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("top", [-0.5, -0.25, 0.0, 0.25, 0.5])
def test_the_top_of_a_parabola(top):
    t = np.arange(-3, 4) - top
    score, shift = sub_sample_peak.py_func((50 - 3 * t**2).astype(np.float32), 3, 5)
    assert score == pytest.approx(50.0, abs=1e-4)
    assert shift == 2 + round(4 * top)


def test_there_is_no_top_at_the_ends_or_without_shifts():
    scores = np.array([5.0, 4.0, 3.0, 4.0], np.float32)
    assert sub_sample_peak.py_func(scores, 0, 5) == (5.0, 2)
    assert sub_sample_peak.py_func(scores, 1, 1) == (4.0, 0)
    assert sub_sample_peak.py_func(scores, 2, 5) == (3.0, 2)  # a valley
