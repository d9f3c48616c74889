"""The other methods: their accuracy, their parameters, and that all agree."""

import numpy as np
import pytest

import xephys
from tests.motion.support import drifting_peaks, errors, silent_recording
from xephys.errors import ParameterError
from xephys.motion.displacement import displacement_at
from xephys.motion.estimate import METHODS

DURATION_S = 120.0
#: Typical parameters of each method.
USED = {
    "dredge": {},
    "decentralized": {},
    "iterative_template": {"bin_um": 5.0},
    "kilosort": {"nblocks": 3, "bin_s": 2.0},
}


def slow(time, depth):
    return 25 * np.sin(2 * np.pi * time / DURATION_S) * (0.6 + 0.4 * depth / 640)


@pytest.fixture(scope="module")
def motions():
    recording, peaks = silent_recording(DURATION_S), drifting_peaks(slow, DURATION_S, seed=11)
    return {name: xephys.estimate_motion(recording, peaks, method=name, **USED[name]) for name in METHODS}


def test_every_method_is_tested_here():
    assert set(USED) == set(METHODS)


@pytest.mark.parametrize("name", USED)
def test_displacement_is_found(motions, name):
    error = errors(motions[name], slow)
    assert np.median(error) < 2.0
    assert np.quantile(error, 0.95) < 6.0
    assert motions[name].attrs["method"] == name


def test_the_default_method_is_the_most_accurate(motions):
    medians = {name: np.median(errors(motion, slow)) for name, motion in motions.items()}
    assert min(medians, key=medians.get) == "dredge"


def test_methods_agree(motions):
    time, depth = np.meshgrid(np.arange(5, DURATION_S - 5, 5), [100.0, 320.0, 540.0], indexing="ij")
    values = {name: displacement_at(motion, time_s=time, depth_um=depth) for name, motion in motions.items()}
    for value in values.values():
        difference = value - values["dredge"]
        assert np.median(np.abs(difference - np.median(difference, axis=0))) < 3


def test_kilosort_is_rigid_with_one_block():
    recording, peaks = silent_recording(DURATION_S), drifting_peaks(slow, DURATION_S, seed=11)
    motion = xephys.estimate_motion(recording, peaks, method="kilosort", bin_s=2.0)
    assert motion.sizes["depth"] == 1
    assert motion.depth.values[0] == pytest.approx(320, abs=5)


@pytest.mark.parametrize(
    ("method", "parameters", "text"),
    [
        ("kilosort", {"nblocks": 0}, "nblocks is 0; it must be greater than 0"),
        ("kilosort", {"nblocks": 500}, "nblocks is 500 for 130 bins of depth; give fewer"),
        ("kilosort", {"drift_smoothing": (1, 2)}, "drift_smoothing is .1, 2.; give three numbers"),
        (
            "kilosort",
            {"binning_depths": 5},
            "'kilosort' has no parameter 'binning_depths'.*did you mean 'binning_depth'",
        ),
        ("iterative_template", {"num_amp_bins": 0}, "num_amp_bins is 0"),
        ("decentralized", {"time_horizon_s": -1}, "time_horizon_s is -1"),
        ("decentralized", {"win_shape": "hat"}, "win_shape is 'hat'"),
    ],
)
def test_bad_input_is_refused(method, parameters, text):
    recording, peaks = silent_recording(20.0), drifting_peaks(slow, 20.0, seed=1)
    with pytest.raises(ParameterError, match=text):
        xephys.estimate_motion(recording, peaks, method=method, **parameters)


def test_a_system_too_large_for_memory_is_refused_in_advance():
    duration_s = 20_000.0
    recording = silent_recording(duration_s)
    peaks = drifting_peaks(lambda t, z: 0 * z, duration_s, n_units=3, rate_hz=0.2)
    with pytest.raises(ParameterError, match=r"make a system of .* GB, more than 4; give a smaller time_horizon_s"):
        xephys.estimate_motion(recording, peaks, method="decentralized", time_horizon_s=None)
