"""Estimates of motion from peaks whose displacement is known."""

import dask
import numpy as np
import pytest

import xephys
from tests.motion.support import drifting_peaks, errors, silent_recording
from xephys.errors import ParameterError, RecordingError

DURATION_S = 120.0


def still(time, depth):
    return np.zeros(np.broadcast(time, depth).shape)


def slow(time, depth):
    """30 µm to each side at the top, half of it at the tip."""
    return 30 * np.sin(2 * np.pi * time / DURATION_S) * (0.5 + 0.5 * depth / 640)


def fast(time, depth):
    return 12 * np.sin(2 * np.pi * time / 15) + 0 * depth


def step(time, depth):
    return np.where(time > 70, 20.0, 0.0) + 0 * depth


@pytest.mark.parametrize("displacement", [slow, fast, step])
@pytest.mark.parametrize("seed", [1, 2])
def test_displacement_is_found(displacement, seed):
    peaks = drifting_peaks(displacement, DURATION_S, seed=seed)
    motion = xephys.estimate_motion(silent_recording(DURATION_S), peaks)
    error = errors(motion, displacement)
    assert np.median(error) < 0.9
    assert np.quantile(error, 0.95) < 2.7
    assert motion.known.values.mean() > 0.95


@pytest.mark.parametrize("seed", [1, 2])
def test_tissue_at_rest_is_found_at_rest(seed):
    motion = xephys.estimate_motion(silent_recording(DURATION_S), drifting_peaks(still, DURATION_S, seed=seed))
    assert np.abs(motion.displacement_um.values[motion.known.values]).max() < 1.0
    assert np.quantile(np.abs(motion.displacement_um), 0.95) < 0.5


def test_the_uncertainty_has_the_size_of_the_error():
    motion = xephys.estimate_motion(silent_recording(DURATION_S), drifting_peaks(slow, DURATION_S, seed=3))
    error = errors(motion, slow)
    ratio = np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(motion.uncertainty_um.values**2))
    assert 0.5 < ratio < 2.0


def test_each_shank_is_estimated_separately():
    up, down = lambda t, z: slow(t, z), lambda t, z: -0.5 * slow(t, z)
    peaks = [drifting_peaks(f, DURATION_S, shank=i, seed=5 + i) for i, f in enumerate((up, down))]
    merged = np.concatenate(peaks)
    merged = merged[np.argsort(merged["sample_index"], kind="stable")]
    motion = xephys.estimate_motion(silent_recording(DURATION_S, shanks=2), merged)
    assert motion.shank.values.tolist() == ["s0", "s1"]
    for name, displacement, own in (("s0", up, peaks[0]), ("s1", down, peaks[1])):
        assert np.median(errors(motion, displacement, shank=name)) < 0.9
        own = own.copy()
        own["channel_index"] %= 33
        alone = xephys.estimate_motion(silent_recording(DURATION_S), own)
        np.testing.assert_array_equal(motion.displacement_um.sel(shank=name), alone.displacement_um[0])


def test_silence_and_empty_depths_are_unknown_and_without_displacement():
    """Nothing fires for 30 s, and never above 400 µm."""
    peaks = drifting_peaks(slow, DURATION_S, height_um=400.0, n_units=40, seed=7)
    seconds = peaks["sample_index"] / 1000
    peaks = peaks[(seconds < 50) | (seconds > 80)]
    motion = xephys.estimate_motion(silent_recording(DURATION_S, 1000.0), peaks)
    low = motion.sel(depth=slice(0, 400))
    assert not low.known.sel(time=slice(57, 73)).any()
    assert low.known.sel(time=slice(5, 45)).mean() > 0.9
    assert not motion.known.sel(depth=slice(700, None)).any()
    gap = low.displacement_um.sel(time=slice(50, 80)).values[0]
    ends = np.sort(gap[[0, -1]], axis=0)
    assert (gap > ends[0] - 1.5).all()
    assert (gap < ends[1] + 1.5).all()
    assert (low.uncertainty_um.sel(time=65, method="nearest") > low.uncertainty_um.sel(time=30, method="nearest")).all()


def test_noise_without_units_has_no_displacement():
    rng = np.random.default_rng(0)
    peaks = drifting_peaks(still, DURATION_S, seed=0)
    peaks["y"] = rng.uniform(0, 640, len(peaks))
    peaks["amplitude"] = -40 - rng.exponential(5, len(peaks))
    motion = xephys.estimate_motion(silent_recording(DURATION_S), peaks)
    moved = np.abs(motion.displacement_um.values)
    assert moved[motion.known.values].max(initial=0) < 5


def test_any_number_of_threads_gives_the_same_bits():
    recording, peaks = silent_recording(DURATION_S), drifting_peaks(slow, DURATION_S, seed=1)
    with dask.config.set(scheduler="synchronous"):
        alone = xephys.estimate_motion(recording, peaks)
    with dask.config.set(num_workers=4):
        together = xephys.estimate_motion(recording, peaks)
    assert alone.equals(together)
    assert alone.equals(recording.ephys.estimate_motion(peaks))


def test_rigid_motion_is_the_same_at_all_depths():
    motion = xephys.estimate_motion(silent_recording(DURATION_S), drifting_peaks(fast, DURATION_S, seed=1), rigid=True)
    assert motion.sizes["depth"] == 1
    assert np.median(errors(motion, fast)) < 0.9


def test_times_are_those_of_the_recording():
    recording = silent_recording(DURATION_S).ephys.time_slice(start_s=20.0)
    peaks = drifting_peaks(slow, 100.0, seed=1)
    peaks["sample_index"] += round(20.0 * recording.attrs["sampling_frequency"])  # counted from the segment's start
    motion = xephys.estimate_motion(recording, peaks, bin_s=2.0)
    np.testing.assert_allclose(motion.time, 20 + 2 * np.arange(50) + 1)


PEAKS = drifting_peaks(slow, 20.0, seed=1)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"method": "dregde"}, "method is 'dregde'; it must be one of .*did you mean 'dredge'"),
        ({"win_step": 100}, "'dredge' has no parameter 'win_step'; it has rigid.*did you mean 'win_step_um'"),
        ({"win_step_um": 0}, "win_step_um is 0; it must be greater than 0"),
        ({"win_shape": "hat"}, "win_shape is 'hat'"),
        ({"bin_s": -1.0}, "bin_s is -1.0"),
        ({"bin_s": 15.0}, "bin_s is 15 s and the recording lasts 20 s: motion needs at least two time bins"),
    ],
)
def test_wrong_parameters_are_refused(parameters, text):
    with pytest.raises(ParameterError, match=text):
        xephys.estimate_motion(silent_recording(20.0), PEAKS, **parameters)


@pytest.mark.parametrize(
    ("peaks", "text"),
    [
        (PEAKS[:0], "no peaks"),
        (PEAKS[["sample_index", "channel_index", "amplitude"]], "the peaks have no y, only .*localize them first"),
        (PEAKS[::-1], "not in the order of time"),
        (np.concatenate([PEAKS, PEAKS[-1:]]).astype(PEAKS.dtype), None),
    ],
)
def test_unsuitable_peaks_are_refused(peaks, text):
    if text is None:
        peaks["sample_index"][-1] = 10**6
        text = "lie outside the recording's 20000 samples"
    with pytest.raises(ParameterError, match=text):
        xephys.estimate_motion(silent_recording(20.0), peaks)


def test_a_tetrode_is_refused_for_lack_of_depth():
    recording = silent_recording(20.0, 20.0)
    with pytest.raises(
        RecordingError, match="contacts span 20 um along y, less than 40: such a probe has no depth axis"
    ):
        xephys.estimate_motion(recording, PEAKS[PEAKS["channel_index"] < 4])
    with pytest.raises(RecordingError, match="estimating motion needs the positions"):
        xephys.estimate_motion(recording.drop_vars(["x", "y"]), PEAKS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_short_shank_shows_tissue_that_moves(seed):
    peaks = drifting_peaks(step, DURATION_S, height_um=60.0, n_units=6, seed=seed)
    motion = xephys.estimate_motion(silent_recording(DURATION_S, 60.0), peaks)
    assert motion.known.values.mean() > 0.95
    assert np.median(errors(motion, step, height_um=60.0)) < 2.0


@pytest.mark.parametrize("seed", range(6))
def test_a_short_shank_shows_no_movement_where_neurons_start_and_stop(seed):
    """Six neurons at rest, of which three fire during half of the recording each."""
    rng, parts = np.random.default_rng(seed), []
    for number, begins in enumerate(rng.uniform(0, DURATION_S / 2, 6)):
        own = drifting_peaks(still, DURATION_S, height_um=60.0, n_units=1, seed=100 * seed + number)
        time_s = own["sample_index"] / 1000
        parts.append(own[(time_s >= begins) & (time_s < begins + DURATION_S / 2)] if number < 3 else own)
    peaks = np.concatenate(parts)
    peaks = peaks[np.argsort(peaks["sample_index"], kind="stable")]
    motion = xephys.estimate_motion(silent_recording(DURATION_S, 60.0), peaks)
    assert not motion.known.values.any() or np.ptp(motion.displacement_um.values) < 3.0


def test_errors_do_not_add_up_over_a_long_recording():
    """Time horizons that are a hundredth of the recording, as a day has, and so few peaks that each adds an error."""
    duration_s = 5000
    steps = np.cumsum(np.random.default_rng(0).normal(0, 0.3, duration_s + 1))

    def walk(time, depth):
        return np.interp(time, np.arange(duration_s + 1), steps) * (1 - 0.3 * depth / 640)

    peaks = drifting_peaks(walk, duration_s, n_units=12, rate_hz=1.0, seed=0)
    motion = xephys.estimate_motion(silent_recording(duration_s), peaks, time_horizon_s=20.0)
    error = errors(motion, walk)
    assert np.median(error) < 1.0  # 2.1 if nothing is compared beyond the time horizon
    assert np.quantile(error, 0.95) < 3.0  # 5.7
