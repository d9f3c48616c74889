"""Motion from the local field potential of sources that move with the tissue."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.motion.lfp import estimate_motion_lfp

RATE = 250.0
Y_UM = 20.0 * np.arange(48)


def field(displacement_um, *, n_sources=20, seed=0, noise=0.02):
    """Potential of sources of fixed depth and width, whose strengths change like those of the brain (1/f)."""
    rng = np.random.default_rng(seed)
    n = len(displacement_um)
    depth, width = rng.uniform(-200, Y_UM[-1] + 200, n_sources), rng.uniform(60, 160, n_sources)
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    spectrum = np.where(frequency > 0.5, 1 / np.maximum(frequency, 0.5), 0.0)
    strength = np.fft.irfft(np.fft.rfft(rng.normal(size=(n_sources, n))) * spectrum, n)
    strength /= strength.std(axis=1, keepdims=True)
    total = np.zeros((n, len(Y_UM)))
    for one, at, reach in zip(strength, depth, width, strict=True):
        apart = (Y_UM - at - displacement_um[:, None]) / reach
        total += one[:, None] * (1 - apart**2) * np.exp(-0.5 * apart**2)
    return (total + noise * total.std() * rng.normal(size=total.shape)).astype(np.float32)


def recording(traces, *, shanks=1, **more):
    return xephys.make_recording(
        np.tile(traces, (1, shanks)),
        sampling_frequency=RATE,
        coordinates={
            "x": np.repeat(250.0 * np.arange(shanks), len(Y_UM)),
            "y": np.tile(Y_UM, shanks),
            "shank": np.repeat([f"s{i}" for i in range(shanks)], len(Y_UM)),
            **more,
        },
    )


def beating(seconds, phase=0.0):
    t = np.arange(round(seconds * RATE)) / RATE
    return 30 * np.sin(2 * np.pi * 0.5 * t + phase)


@pytest.fixture(scope="module")
def beaten():
    moved = beating(12)
    return moved, recording(field(moved))


def errors(motion, moved, shank=0):
    found = motion.displacement_um.values[shank, :, 0] - moved
    return np.abs(found - np.median(found))


def test_fast_movement_is_found(beaten):
    moved, traces = beaten
    motion = estimate_motion_lfp(traces, disp_max_um=80.0)
    assert motion.sizes == {"shank": 1, "time": 3000, "depth": 1} and motion.known.values.all()
    assert np.median(errors(motion, moved)) < 7 < np.median(np.abs(moved)) / 2


def test_the_sign_is_that_of_motion_from_peaks():
    """Positive where the tissue moved along +y."""
    moved = np.repeat([0.0, 40.0], 500)
    motion = estimate_motion_lfp(recording(field(moved)), disp_max_um=80.0)
    late, early = (motion.displacement_um.values[0, part, 0] for part in (slice(600, None), slice(0, 400)))
    assert np.median(late) - np.median(early) == pytest.approx(40, abs=6)


def test_still_tissue_stays_still():
    motion = estimate_motion_lfp(recording(field(np.zeros(1000))), disp_max_um=80.0)
    assert np.quantile(np.abs(motion.displacement_um.values), 0.95) <= 5


def test_the_result_does_not_depend_on_chunks(beaten):
    traces = beaten[1].isel(time=slice(0, 700))
    results = [
        estimate_motion_lfp(traces.chunk(time=size), disp_max_um=40.0, mincorr=(0.6,), n_iterations=1)
        for size in (700, 111)
    ]
    assert results[0].identical(results[1])


def test_every_shank_has_its_own_motion():
    moved = [beating(6), beating(6, phase=np.pi / 2)]
    both = np.concatenate([field(one, seed=number) for number, one in enumerate(moved)], axis=1)
    traces = recording(both[:, : len(Y_UM)], shanks=2).copy(data=both)
    motion = estimate_motion_lfp(traces, disp_max_um=60.0)
    assert motion.shank.values.tolist() == ["s0", "s1"]
    for number, one in enumerate(moved):
        assert np.median(errors(motion, one, number)) < 10


def test_samples_are_averaged_in_bins(beaten):
    traces = beaten[1].isel(time=slice(0, 601))
    motion = estimate_motion_lfp(traces, bin_s=0.02, disp_max_um=40.0, mincorr=(0.6,), n_iterations=1)
    assert motion.sizes["time"] == 120 and motion.time.values[:2].tolist() == pytest.approx([0.01, 0.03])


def test_a_constant_field_says_nothing():
    values = field(np.zeros(500))
    values[200:300] = 0.0
    motion = estimate_motion_lfp(recording(values), disp_max_um=40.0, mincorr=(0.6,), n_iterations=1)
    assert motion.known.values[0, :, 0].tolist() == [True] * 200 + [False] * 100 + [True] * 200


def test_bad_channels_are_left_out(beaten):
    values = beaten[1].values[:600].copy()
    values[:, 7] = 1e4 * np.random.default_rng(0).normal(size=600)
    bad = np.arange(len(Y_UM)) == 7
    given = {"disp_max_um": 40.0, "mincorr": (0.6,), "n_iterations": 1}
    marked = estimate_motion_lfp(recording(values, bad=bad), **given)
    values[:, 7] = 0.0
    assert marked.identical(estimate_motion_lfp(recording(values, bad=bad), **given))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"bin_s": 0.001}, "give at least 0.004 s"),
        ({"bin_s": 30.0}, "at least two time bins"),
        ({"mincorr": ()}, "at least one number between 0 and 1"),
        ({"mincorr": (1.5,)}, "between 0 and 1"),
        ({"disp_max_um": -1.0}, "disp_max_um"),
    ],
)
def test_parameters_out_of_range_are_refused(beaten, given, text):
    with pytest.raises(ParameterError, match=text):
        estimate_motion_lfp(beaten[1], **given)


def test_recordings_without_a_profile_are_refused(beaten):
    traces = beaten[1]
    with pytest.raises(RecordingError, match="no depth axis"):
        estimate_motion_lfp(traces.isel(channel=slice(0, 2)))
    with pytest.raises(RecordingError, match="8 rows"):
        estimate_motion_lfp(traces.isel(channel=slice(0, 7)))
    broken = traces.values.copy()
    broken[100, 3] = np.nan
    with pytest.raises(RecordingError, match="NaN"):
        estimate_motion_lfp(traces.copy(data=broken))
