"""A motion as a labelled array: sign, shanks, interpolation, errors."""

import json

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError, RecordingError
from xephys.motion.correct import correct_motion
from xephys.motion.displacement import displacement_at, make_motion, shanks_asked_for, validate_motion
from xephys.schema import MOTION_VARIABLES
from xephys.testing import simulate_recording

VALUES = np.array([[0.0, 0.0], [4.0, 2.0], [8.0, 4.0]])


@pytest.fixture
def motion():
    return make_motion(VALUES, time_s=[0.5, 1.5, 2.5], depth_um=[0, 400], method="dredge", parameters={"bin_s": 1.0})


@pytest.fixture
def two_shanks():
    return make_motion(np.stack([VALUES, -VALUES]), time_s=[0.5, 1.5, 2.5], depth_um=[0, 400], shank=["b", "a"])


def test_names_and_dims_are_those_of_the_schema(motion):
    for name, variable in MOTION_VARIABLES.items():
        assert motion.variables[name].dims == variable.dims
        assert motion.variables[name].dtype.kind in variable.kind
    assert json.loads(motion.attrs["parameters"]) == {"bin_s": 1.0}
    assert bool(motion.known.all()) and bool(np.isnan(motion.uncertainty_um).all())


def test_tissue_that_moves_up_is_seen_higher_and_registered_lower(motion):
    """A unit at the registered depth 200 is seen at 203 when the displacement there is 3 µm."""
    seen = 200.0 + displacement_at(motion, time_s=1.5, depth_um=200.0, registered=True)
    assert seen == pytest.approx(202.985, abs=1e-3)
    assert seen - displacement_at(motion, time_s=1.5, depth_um=seen) == pytest.approx(200.0, abs=1e-6)


def test_displacement_equals_spikeinterfaces(motion):
    from xephys.io.bridge.si_motion import to_spikeinterface_motion

    rng = np.random.default_rng(0)
    time, depth = rng.uniform(0, 3, 200), rng.uniform(-50, 500, 200)
    theirs = to_spikeinterface_motion(motion).get_displacement_at_time_and_depth(time, depth)
    np.testing.assert_allclose(displacement_at(motion, time_s=time, depth_um=depth), theirs, atol=1e-6)


def test_the_sign_is_that_of_spikeinterfaces_peak_correction(motion):
    from spikeinterface.core import generate_recording
    from spikeinterface.sortingcomponents.motion.motion_interpolation import correct_motion_on_peaks

    from xephys.io.bridge.si_motion import to_spikeinterface_motion

    recording = generate_recording(num_channels=4, durations=[3.0], sampling_frequency=1000.0)
    peaks = np.zeros(3, [("sample_index", "i8"), ("segment_index", "i8")])
    peaks["sample_index"] = [500, 1500, 2500]
    places = np.zeros(3, [("x", "f8"), ("y", "f8")])
    places["y"] = [10.0, 200.0, 390.0]
    corrected = correct_motion_on_peaks(peaks, places, to_spikeinterface_motion(motion), recording)
    ours = places["y"] - displacement_at(motion, time_s=peaks["sample_index"] / 1000, depth_um=places["y"])
    np.testing.assert_allclose(ours, corrected["y"], atol=1e-6)


def test_shanks_have_their_names_on_the_probe(two_shanks):
    found = displacement_at(two_shanks, time_s=2.5, depth_um=0.0, shank=np.array(["a", "b", "a"]))
    assert found.tolist() == [-8.0, 8.0, -8.0]
    with pytest.raises(ParameterError, match="'c' is not one of the motion's"):
        displacement_at(two_shanks, time_s=2.5, depth_um=0.0, shank=["a", "c"])
    with pytest.raises(ParameterError, match=r"2 shanks \(b, a\); say which"):
        displacement_at(two_shanks, time_s=2.5, depth_um=0.0)


def test_time_outside_the_motion_is_refused(motion):
    assert displacement_at(motion, time_s=[0.0, 3.0], depth_um=0.0).tolist() == [0.0, 8.0]
    with pytest.raises(ParameterError, match=r"times 0 to 100 s lie outside the motion, which covers 0 to 3 s"):
        displacement_at(motion, time_s=[0.0, 100.0], depth_um=0.0)
    with pytest.raises(ParameterError, match="not finite"):
        displacement_at(motion, time_s=np.nan, depth_um=0.0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"displacement_um": [0.0, 1.0]}, r"shape \(2,\); give"),
        ({"time_s": [0.5, 1.5]}, r"time_s has shape \(2,\) for 3 cells"),
        ({"time_s": [0.5, 2.5, 1.5]}, "times of the motion do not ascend"),
        ({"depth_um": [400, 0]}, "depths of the motion do not ascend"),
        ({"displacement_um": np.where(VALUES == 8, np.nan, VALUES)}, "1 of 6 displacements of the motion are not fin"),
        ({"shank": ["a", "b"]}, r"shank has shape \(2,\) for 1 cells"),
    ],
)
def test_bad_input_is_refused(change, text):
    given = {"displacement_um": VALUES, "time_s": [0.5, 1.5, 2.5], "depth_um": [0, 400], **change}
    with pytest.raises(ParameterError, match=text):
        make_motion(given.pop("displacement_um"), **given)


def test_other_objects_are_refused(motion):
    with pytest.raises(TypeError, match="expected a motion"):
        validate_motion(np.zeros(3))
    with pytest.raises(ParameterError, match="'known' of the motion has dims None"):
        validate_motion(motion.drop_vars("known"))
    assert validate_motion(xr.DataTree.from_dict({"motion": motion})["motion"]).equals(motion)


def test_a_motion_of_another_shank_is_refused():
    recording, _ = simulate_recording(duration_s=2, n_channels=8, n_units=1, seed=0)
    tagged = recording.assign_coords(shank=("channel", ["a"] * 8))
    motion = make_motion([[4.0]], time_s=[0], depth_um=[0])
    assert shanks_asked_for(tagged, motion) is None  # of the shank 0, as the default is called: it has no name
    assert shanks_asked_for(tagged, make_motion([[4.0]], time_s=[0], depth_um=[0], shank=["a"])) is None
    other = make_motion([[4.0]], time_s=[0], depth_um=[0], shank=["b"])
    with pytest.raises(RecordingError, match="the motion is of shank b, and the recording has a"):
        correct_motion(tagged, motion=other)
    assert shanks_asked_for(tagged.drop_vars(["shank"]), other) is None
