"""Shanks are drawn above one another."""

import numpy as np
import pytest

import xephys
from tests.support.figures import saved_size
from xephys.plot.canvas.strips import Strips
from xephys.plot.canvas.style import new_figure
from xephys.schema import make_recording

RATE = 1000.0


def recording():
    """Two shanks with contacts at the same depths."""
    return make_recording(
        np.zeros((3000, 8), "i2"),
        sampling_frequency=RATE,
        coordinates={
            "x": np.repeat([0.0, 200.0], 4), "y": np.tile(np.arange(4) * 20.0, 2), "shank": np.repeat(["a", "b"], 4)
        },
    )  # fmt: skip


def sorting():
    spikes = {"sample_index": [100, 200, 300, 400], "unit_index": [0, 1, 2, 1]}
    waveform = np.zeros((3, 20, 4), np.float32)
    waveform[:, 10] = [-50, -90, -40, -10]
    channel_index = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [1, 2, 3, 0]], np.int32)
    import xarray as xr

    templates = xr.Dataset(
        {"waveform": (("unit", "sample", "slot"), waveform), "channel_index": (("unit", "slot"), channel_index)},
        attrs={"nbefore": 10, "n_channels": 8, "units": "uV", "sampling_frequency": RATE},
    )
    return xephys.make_sorting(spikes, recording=recording(), templates=templates)


def test_strips_of_shanks_do_not_overlap():
    strips = Strips.of(np.array([10.0, 110.0, np.nan]), np.array(["a", "b", "c"]))
    offsets = strips.offset_um(np.arange(3))
    assert offsets[0] == 0 and np.all(np.diff(offsets) > strips.high_um - strips.low_um)
    ax = new_figure((3, 3)).subplots()
    strips.mark(ax)
    levels = [float(tick.get_text()) for tick in ax.get_yticklabels()]
    assert levels == sorted(levels[: len(levels) // 3]) * 3
    assert [text.get_text() for text in ax.texts] == ["shank a", "shank b", "shank c"]


def test_spikes_at_one_depth_of_two_shanks_are_drawn_separately(tmp_path):
    made = sorting()
    ax = xephys.plot.plot_drift_raster(made)
    drawn = np.asarray(ax.collections[0].get_offsets())[:, 1]
    of_unit = made["spikes"]["unit_index"].values
    assert made["units"]["y"].values[0] == pytest.approx(made["units"]["y"].values[1])
    assert drawn[of_unit == 1].min() - drawn[of_unit != 1].max() > 0
    assert ax.get_ylabel() == "depth (µm), shank by shank"
    assert saved_size(ax.figure, tmp_path) > 5_000


def test_peaks_are_separated_by_shank_if_their_recording_is_given():
    peaks = np.zeros(4, [("sample_index", "i8"), ("channel_index", "i8"), ("y", "f8"), ("amplitude", "f8")])
    peaks["channel_index"], peaks["y"], peaks["amplitude"] = [0, 4, 1, 5], [0.0, 0.0, 20.0, 20.0], -50
    ax = xephys.plot.plot_drift_raster(peaks, recording=recording())
    drawn = np.asarray(ax.collections[0].get_offsets())[:, 1]
    assert drawn[[1, 3]].min() > drawn[[0, 2]].max()
    plain = xephys.plot.plot_drift_raster(peaks, sampling_frequency=RATE)
    assert np.asarray(plain.collections[0].get_offsets())[:, 1].tolist() == [0.0, 0.0, 20.0, 20.0]


def test_a_panel_of_templates_shows_one_shank(tmp_path):
    frame = xephys.plot.plot_templates(sorting(), n_channels_max=8)
    panels = [ax for ax in frame.figure.axes if ax.get_title()]
    titles = [ax.get_title().split("\n") for ax in panels]
    assert [(first, last) for first, _, last in titles] == [
        ("unit 0 (unsorted)", "shank a"), ("unit 2 (unsorted)", "shank a"), ("unit 1 (unsorted)", "shank b")
    ]  # fmt: skip
    for ax, low, high in zip(panels, (0, 0, 200), (0, 0, 200), strict=True):
        contacts = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "."]
        assert len(contacts) == 4 and min(contacts) == low and max(contacts) == high
    assert saved_size(frame.figure, tmp_path) > 5_000
