"""Figures of motion: lines by depth, panels by shank, errors."""

import numpy as np
import pytest

import xephys
from tests.motion.support import drifting_peaks, silent_recording
from xephys.errors import ParameterError
from xephys.plot import plot_displacement, plot_drift_raster, plot_motion

DURATION_S = 60.0


def up(time, depth):
    return 20 * np.sin(2 * np.pi * time / 60) + 0 * depth


@pytest.fixture(scope="module")
def moved():
    recording = silent_recording(DURATION_S, shanks=2)
    parts = [drifting_peaks(up, DURATION_S, shank=0, seed=1), drifting_peaks(up, DURATION_S, shank=1, seed=2)]
    peaks = np.concatenate(parts)
    peaks = peaks[np.argsort(peaks["sample_index"], kind="stable")]
    time = np.arange(60) + 0.5
    values = np.stack([np.tile(up(time, 0)[:, None], 3), np.tile(0.5 * up(time, 0)[:, None], 3)])
    known = np.ones(values.shape, bool)
    known[:, 20:30] = False
    motion = xephys.make_motion(
        values, time_s=time, depth_um=[0, 300, 640], shank=["s0", "s1"], known=known, uncertainty_um=0 * values + 1.5
    )
    return recording, motion, peaks


def test_each_depth_is_a_line_with_gaps_where_unknown(moved):
    ax = plot_displacement(moved[1], shank="s1")
    colored = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in colored] == ["0 µm", "300 µm", "640 µm"]
    for line in colored:
        assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == list(range(20, 30))
        np.testing.assert_allclose(line.get_ydata()[:20], 0.5 * up(np.arange(20) + 0.5, 0), rtol=1e-5)
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(10 + 3, abs=0.2)


def test_columns_are_shanks_and_the_second_raster_is_registered(moved):
    recording, motion, peaks = moved
    panels = plot_motion(recording, motion, peaks=peaks).figure.axes[1:]
    assert len(panels) == 6
    seen, rested = (panels[k].collections[0].get_offsets()[:, 1] for k in (0, 2))
    seconds = panels[0].collections[0].get_offsets()[:, 0]
    np.testing.assert_allclose(seen - rested, np.interp(seconds, motion.time, up(motion.time.values, 0)), atol=1e-4)
    assert panels[0].lines  # the motion is drawn over the raster
    assert not panels[2].lines


def test_motion_is_drawn_over_a_drift_raster(moved):
    _, motion, peaks = moved
    ax = plot_drift_raster(peaks, sampling_frequency=1000.0, motion=motion.sel(shank=["s0"]))
    first = ax.lines[0]
    np.testing.assert_allclose(
        first.get_ydata() - first.get_ydata()[0], up(first.get_xdata(), 0) - up(0.5, 0), atol=1e-3
    )
    assert first.get_xdata()[0] == 0.5


def test_bad_input_is_refused(moved):
    recording, motion, peaks = moved
    with pytest.raises(ParameterError, match="2 shanks"):
        plot_displacement(motion)
    with pytest.raises(ParameterError, match="have no y; localize them first"):
        plot_motion(recording, motion, peaks=peaks[["sample_index", "channel_index", "amplitude"]])
    with pytest.raises(ParameterError, match="lie outside the motion"):
        plot_motion(recording, motion.assign_coords(time=motion.time + 100), peaks=peaks)
