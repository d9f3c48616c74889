"""Motion to and from SpikeInterface."""

import numpy as np
import pytest
from spikeinterface.core.motion import Motion

from xephys.errors import ParameterError
from xephys.io.bridge.si_motion import from_spikeinterface_motion, to_spikeinterface_motion
from xephys.motion.displacement import displacement_at, make_motion


@pytest.fixture
def motion():
    values = np.random.default_rng(0).normal(0, 10, (2, 5, 3))
    return make_motion(values, time_s=np.arange(5) + 0.5, depth_um=[0, 300, 500], shank=["0", "1"])


def test_there_and_back(motion):
    for shank in ("0", "1"):
        back = from_spikeinterface_motion(to_spikeinterface_motion(motion, shank=shank), shank=shank)
        np.testing.assert_array_equal(back.displacement_um, motion.displacement_um.sel(shank=[shank]))
        np.testing.assert_array_equal(back.time, motion.time)
        np.testing.assert_array_equal(back.depth, motion.depth)


def test_back_and_there():
    theirs = Motion(np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([0.5, 1.5]), np.array([10.0, 20.0]))
    assert to_spikeinterface_motion(from_spikeinterface_motion(theirs)) == theirs


def test_their_segments_are_converted_one_by_one():
    theirs = Motion([np.zeros((2, 1)), np.ones((3, 1))], [np.arange(2.0), np.arange(3.0)], np.array([10.0]))
    assert from_spikeinterface_motion(theirs, segment_index=1).displacement_um.values.ravel().tolist() == [1, 1, 1]
    with pytest.raises(ParameterError, match="segment_index is 2; this motion has 2 segments"):
        from_spikeinterface_motion(theirs, segment_index=2)


def test_holes_become_unknown_and_are_interpolated():
    values = np.array([[1.0, 0.0], [np.nan, 0.0], [3.0, np.nan]])
    motion = from_spikeinterface_motion(Motion(values, np.arange(3.0), np.array([0.0, 100.0])))
    assert motion.known.values[0].tolist() == [[True, True], [False, True], [True, False]]
    assert displacement_at(motion, time_s=[1.0, 2.0], depth_um=[0.0, 100.0]).tolist() == [2.0, 0.0]


def test_bad_input_is_refused(motion):
    with pytest.raises(TypeError, match=r"expected a SpikeInterface Motion, got builtins\.int"):
        from_spikeinterface_motion(3)
    with pytest.raises(ParameterError, match="along 'x'"):
        from_spikeinterface_motion(Motion(np.zeros((2, 1)), np.arange(2.0), np.zeros(1), direction="x"))
    with pytest.raises(ParameterError, match="1 depths of this motion hold no finite value"):
        from_spikeinterface_motion(Motion(np.array([[np.nan, 0.0]] * 2), np.arange(2.0), np.arange(2.0)))
    with pytest.raises(ParameterError, match="2 shanks"):
        to_spikeinterface_motion(motion)
