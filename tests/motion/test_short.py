"""A motion along a short shank is believed or not; that along a long one always is."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.motion.shank_peaks import Course, ShankPeaks
from xephys.motion.short import LONG_UM, believed, unknown

N_TIMES, PER_BIN = 20, 100


def peaks_and_course(*, height_um, moved_um, at_rest):
    """Two neurons; the tissue rises by ``moved_um`` halfway, or rests while the course says that it rises."""
    rng = np.random.default_rng(0)
    late = np.repeat(np.arange(N_TIMES) >= N_TIMES // 2, PER_BIN)
    neuron = late.astype(int) if at_rest else rng.integers(0, 2, len(late))
    depth = np.array([10.0, 30.0])[neuron] + (0.0 if at_rest else moved_um * late) + rng.normal(0, 2, len(late))
    amplitude = np.array([60.0, 140.0])[neuron] * rng.lognormal(0, 0.05, len(late))
    offsets = np.arange(N_TIMES + 1) * PER_BIN
    peaks = ShankPeaks(offsets, depth.astype(np.float32), amplitude.astype(np.float32), 1.0, (0.0, height_um))
    values = np.where(np.arange(N_TIMES) >= N_TIMES // 2, moved_um, 0.0)[:, None]
    return peaks, Course(values, np.ones_like(values), np.ones(values.shape, bool), np.array([height_um / 2]))


def test_what_moves_along_a_short_shank_is_believed():
    peaks, course = peaks_and_course(height_um=60.0, moved_um=20.0, at_rest=False)
    assert believed(peaks, course) is course


@pytest.mark.parametrize(("height_um", "kept"), [(60.0, False), (LONG_UM, True)])
def test_one_neuron_after_another_is_no_movement_of_a_short_shank(height_um, kept):
    peaks, course = peaks_and_course(height_um=height_um, moved_um=20.0, at_rest=True)
    found = believed(peaks, course)
    assert (found is course) == kept
    if not kept:
        assert not found.known.any() and not found.displacement_um.any()
        for one, other in zip(found, unknown(peaks), strict=True):
            np.testing.assert_array_equal(one, other)
