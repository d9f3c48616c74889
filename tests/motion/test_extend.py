"""A motion is extended: the old part keeps its bits, and the new part is as accurate as an estimate of the whole."""

import numpy as np
import pytest

import xephys
from tests.motion.support import drifting_peaks, errors, silent_recording
from xephys.errors import ParameterError

DURATION_S, FIRST_S = 240.0, 120.0


def slow(time, depth):
    return 20 * np.sin(2 * np.pi * time / 200) * (0.6 + 0.4 * depth / 640)


@pytest.fixture(scope="module")
def begun():
    peaks = drifting_peaks(slow, DURATION_S, seed=21)
    early = peaks[peaks["sample_index"] < FIRST_S * 1000]
    return peaks, xephys.estimate_motion(silent_recording(FIRST_S), early)


def test_the_old_part_is_kept_and_the_new_part_continues_it(begun):
    peaks, motion = begun
    whole = xephys.extend_motion(silent_recording(DURATION_S), peaks, motion=motion)
    assert whole.sizes["time"] == 240
    for name in ("displacement_um", "uncertainty_um", "known"):
        np.testing.assert_array_equal(whole[name].values[:, :120], motion[name].values)
    error = errors(whole, slow)
    assert np.median(error) < 0.9
    assert np.quantile(error, 0.95) < 2.7
    assert whole.known.values[:, 125:].mean() > 0.95


def test_the_last_minutes_of_the_old_part_suffice(begun):
    peaks, motion = begun
    late = silent_recording(DURATION_S).ephys.time_slice(start_s=60.0)
    own = peaks[peaks["sample_index"] >= 60_000]
    whole = xephys.extend_motion(late, own, motion=motion)
    assert whole.sizes["time"] == 240
    np.testing.assert_allclose(whole.time, np.arange(240) + 0.5)
    np.testing.assert_array_equal(whole.displacement_um[:, :120], motion.displacement_um)
    assert np.median(errors(whole, slow)) < 1.0


def test_bad_input_is_refused(begun):
    peaks, motion = begun
    recording = silent_recording(DURATION_S)
    with pytest.raises(ParameterError, match="by method 'kilosort'; only one of 'dredge' can be extended"):
        xephys.extend_motion(recording, peaks, motion=motion.assign_attrs(method="kilosort"))
    with pytest.raises(ParameterError, match="motion is of shanks s0, the recording has s0, s1"):
        xephys.extend_motion(silent_recording(DURATION_S, shanks=2), peaks, motion=motion)
    with pytest.raises(ParameterError, match=r"begins at 0\.4 s.*from the edge of one of them"):
        xephys.extend_motion(recording.ephys.time_slice(start_s=0.4), peaks, motion=motion)
    with pytest.raises(ParameterError, match="begins at 130 s"):
        xephys.extend_motion(recording.ephys.time_slice(start_s=130.0), peaks, motion=motion)
    with pytest.raises(ParameterError, match="has 120 bins, none of them after the motion"):
        early = peaks[peaks["sample_index"] < FIRST_S * 1000]
        xephys.extend_motion(silent_recording(FIRST_S), early, motion=motion)
