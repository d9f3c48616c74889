"""A valley is found where it is, with its depth and its ratio to the lower shoulder."""

import numpy as np
import pytest

from xephys.kernels.cluster.valley import valley_depth


@pytest.mark.parametrize(("n_low", "n_high"), [(400, 400), (2000, 100)])
def test_the_depth_is_counted_in_standard_errors_of_the_lower_shoulder(n_low, n_high):
    """Between two groups without a spike between them, the lower shoulder is the fullest window of the smaller one."""
    low, high = np.linspace(-1.1, -0.9, n_low), np.linspace(0.9, 1.1, n_high)
    depth, ratio = valley_depth(np.r_[low, high], low=-1.0, high=1.0)
    assert ratio == 0.0
    assert depth == pytest.approx(np.sqrt(min(n_low, n_high)), rel=0.01)  # all of its spikes are in the widest window


def test_the_ratio_is_that_of_the_valley_to_the_shoulder():
    values = np.r_[np.linspace(-1.5, -0.5, 4000), np.linspace(-0.5, 0.5, 1000), np.linspace(0.5, 1.5, 4000)]
    _, ratio = valley_depth(values, low=-1.0, high=1.0)
    assert ratio == pytest.approx(0.25, rel=0.1)


def test_an_even_sample_and_a_reversed_range_have_no_valley():
    depth, _ = valley_depth(np.linspace(-2.0, 2.0, 10_001), low=-1.0, high=1.0)
    assert depth < 0.2
    assert valley_depth(np.zeros(5), low=1.0, high=1.0) == (0.0, 1.0)
