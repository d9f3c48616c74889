"""Traces corrected for motion: a field that moved is seen at rest; shanks, slices, errors."""

import dask.array as da
import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.graph.describe import describe
from xephys.schema import make_recording
from xephys.testing import forbid_compute

RATE = 1000.0
Y = np.repeat(20.0 * np.arange(20), 2)
X = np.tile([0.0, 32.0], 20)
N = 4000


def displacement(time_s):
    return 15 * np.sin(2 * np.pi * time_s / 4)


@pytest.fixture(scope="module")
def fields():
    """A smooth field at rest, and the same field moved along y."""
    time = np.arange(N) / RATE
    waves = np.random.default_rng(0).normal(0, 1, (12, N))

    def field(y):
        return sum(w[:, None] * np.sin(2 * np.pi * y / (90 + 15 * k) + k) for k, w in enumerate(waves))

    return field(Y[None]), field(Y[None] - displacement(time)[:, None])


@pytest.fixture(scope="module")
def motion():
    time = np.arange(-0.05, 4.1, 0.05)
    return xephys.make_motion(displacement(time)[:, None], time_s=time, depth_um=[190.0])


def recording_of(traces, **coordinates):
    return make_recording(
        da.from_array(traces.astype(np.float32), chunks=(1500, -1)),
        sampling_frequency=RATE,
        coordinates={"x": X, "y": Y, **coordinates},
        units="uV",
    )


@pytest.mark.parametrize(("method", "left"), [("kriging", 0.1), ("inverse_distance", 0.5), ("nearest", 0.65)])
def test_a_moved_field_is_seen_at_rest(fields, motion, method, left):
    still, moved = fields
    corrected = xephys.correct_motion(recording_of(moved), motion=motion, method=method)
    inside = (Y > 30) & (Y < 350)
    before = np.sqrt(np.mean((moved - still)[:, inside] ** 2))
    after = np.sqrt(np.mean((corrected.values - still)[:, inside] ** 2))
    assert after < left * before


def test_building_computes_nothing_and_makes_one_task_per_chunk(fields, motion):
    recording = xephys.bandpass_filter(recording_of(fields[1]), freq_min_hz=100, freq_max_hz=400)
    with forbid_compute():
        corrected = xephys.common_reference(xephys.correct_motion(recording, motion=motion))
    assert describe(corrected).tasks_per_chunk == 1
    assert corrected.attrs["units"] == "uV"


def test_a_part_in_time_has_the_values_of_the_whole(fields, motion):
    recording = recording_of(fields[1])
    whole = xephys.correct_motion(recording, motion=motion).values
    part = recording.ephys.time_slice(start_s=1.234, stop_s=2.345)
    np.testing.assert_array_equal(xephys.correct_motion(part, motion=motion).values, whole[1234:2345])
    cut = xephys.correct_motion(recording, motion=motion).ephys.time_slice(start_s=1.234, stop_s=2.345)
    np.testing.assert_array_equal(cut.values, whole[1234:2345])


def test_each_shank_has_its_own_motion(fields):
    still, moved = fields
    shank = np.tile(["a", "b"], 20)
    values = np.where(shank == "a", still, moved)
    time = np.arange(-0.05, 4.1, 0.05)
    both = np.stack([0 * time, displacement(time)])[..., None]
    motion = xephys.make_motion(both, time_s=time, depth_um=[190.0], shank=["a", "b"])
    corrected = xephys.correct_motion(recording_of(values, shank=shank), motion=motion).values
    inside = (Y > 30) & (Y < 350) & (shank == "b")
    assert np.abs((corrected - still)[:, inside]).mean() < 0.3 * np.abs((moved - still)[:, inside]).mean()


def test_tissue_beyond_the_probe_is_zero(fields):
    motion = xephys.make_motion(np.full((5, 1), 45.0), time_s=np.arange(5.0), depth_um=[0.0])
    corrected = xephys.correct_motion(recording_of(fields[0]), motion=motion, border_um=20.0).values
    assert not corrected[:, Y > 380 - 25].any()
    assert corrected[:, Y <= 380 - 25].any(axis=0).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"method": "krigging"}, "method is 'krigging'.*did you mean 'kriging'"),
        ({"sigma_um": 0}, "sigma_um is 0"),
        ({"border_um": -1.0}, r"border_um is -1.0"),
        (
            {"motion": xephys.make_motion(np.zeros((3, 1)), time_s=[0.5, 1.5, 2.5], depth_um=[0])},
            None,
        ),
        (
            {"motion": xephys.make_motion(np.zeros((2, 1)), time_s=[100.0, 101.0], depth_um=[0])},
            "times 0 to 3.999 s lie outside the motion, which covers 99.5 to 101.5 s",
        ),
        (
            {"motion": xephys.make_motion(np.full((2, 1), 1e5), time_s=[0.0, 4.0], depth_um=[0])},
            r"the motion reaches 100000 um, more than 2000",
        ),
        (
            {"motion": xephys.make_motion(np.zeros((2, 2, 1)), time_s=[0.0, 4.0], depth_um=[0], shank=["a", "b"])},
            "the motion has 2 shanks",
        ),
    ],
)
def test_bad_input_is_refused(fields, motion, change, text):
    given = {"motion": motion, **change}
    if text is None:
        text = "lie outside the motion, which covers 0 to 3 s"
    with pytest.raises(ParameterError, match=text):
        xephys.correct_motion(recording_of(fields[0]), **given)
