"""Windows along depth: evenly spaced, centered on the contacts; a single window where there is no space for more."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.motion.shank_peaks import ShankPeaks
from xephys.motion.windows import window_centers

EMPTY = np.empty(0, np.float32)


def peaks(low, high):
    return ShankPeaks(np.zeros(3, np.int64), EMPTY, EMPTY, 1.0, (low, high))


@pytest.mark.parametrize(("step", "margin"), [(100.0, 0.0), (80.0, 50.0), (130.0, -75.0)])
def test_centers_cover_the_height(step, margin):
    centers = window_centers(peaks(40.0, 640.0), rigid=False, step_um=step, margin_um=margin)
    np.testing.assert_allclose(np.diff(centers), step)
    assert centers.mean() == pytest.approx(340.0)
    assert centers[0] >= 40.0 - margin > centers[0] - step


def test_a_short_probe_has_one_window():
    assert window_centers(peaks(0.0, 500.0), rigid=True, step_um=100.0, margin_um=0.0).tolist() == [250.0]
    assert window_centers(peaks(0.0, 60.0), rigid=False, step_um=100.0, margin_um=0.0).tolist() == [30.0]
