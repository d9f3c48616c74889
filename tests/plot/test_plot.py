"""Figures: they hold what they should, compute only what they show, and refuse what cannot be drawn."""

import numpy as np
import pytest
import xarray as xr

from xephys.comparison.pair import compare
from xephys.errors import ParameterError, RecordingError
from xephys.plot import (
    plot_accuracy,
    plot_confusion,
    plot_drift_raster,
    plot_probe,
    plot_report,
    plot_templates,
    plot_traces,
)
from xephys.plot.probe import nearest_distance
from xephys.plot.style import round_length
from xephys.plot.templates import cell_size
from xephys.schema import make_recording
from xephys.sorting import make_sorting
from xephys.testing import simulate_recording

RATE = 30_000.0


@pytest.fixture(scope="module")
def simulated():
    return simulate_recording(duration_s=4.0, n_channels=8, n_units=3, seed=0)


@pytest.fixture(scope="module")
def sorting(simulated):
    """The truth as a sorting tree, with units of three kinds."""
    recording, truth = simulated
    spikes, positions = truth.spikes, truth.unit_positions
    peak = np.abs(truth.templates).max(axis=(1, 2))
    return make_sorting(
        recording,
        spikes={
            "sample_index": spikes["sample_index"],
            "unit_index": spikes["unit_index"],
            "amplitude": spikes["amplitude"],
            "y": positions[spikes["unit_index"], 1],
        },
        units={"label": ["good", "mua", "noise"], "y": positions[:, 1], "amplitude": peak, "snr": peak / 8},
        templates=truth.templates,
        nbefore=truth.template_before,
    )


def _saved(figure, tmp_path):
    path = tmp_path / "figure.png"
    figure.savefig(path)
    return path.stat().st_size


def test_traces_show_the_window_in_microvolts(simulated, tmp_path):
    recording, _ = simulated
    ax = plot_traces(recording, start_s=1.0, duration_s=0.05, spacing=100.0)
    assert len(ax.lines) == 8 + 1  # and the bar of the scale
    lowest = int(np.argmin(recording.y.values))
    window = recording.isel(time=slice(30_000, 31_500)).values[:, lowest] * 0.195
    time, line = ax.lines[0].get_data()
    np.testing.assert_allclose(line * 100, window - np.median(window), atol=1e-3)
    np.testing.assert_allclose(time, 1.0 + np.arange(1500) / RATE)
    assert ax.get_yticklabels()[0].get_text() == str(recording.channel.values[lowest])
    assert _saved(ax.figure, tmp_path) > 10_000


def test_traces_compute_one_tile_of_an_hour(monkeypatch):
    from xephys import simulation

    recording, _ = simulate_recording(duration_s=3600.0, n_channels=4, n_units=1, seed=0)
    read = []
    source = simulation.source.SimulationSource
    original = source.read
    monkeypatch.setattr(source, "read", lambda self, a, b: read.append(b - a) or original(self, a, b))
    plot_traces(recording.ephys.bandpass_filter(), start_s=1800.4, duration_s=0.01)
    assert 0 < sum(read) < 3 * RATE


def test_traces_of_many_channels_are_a_map(tmp_path):
    recording, _ = simulate_recording(duration_s=1.0, n_channels=64, n_units=2, seed=0)
    recording = recording.assign_coords(bad=("channel", np.arange(64) == 5))
    ax = plot_traces(recording, duration_s=0.02)
    assert not ax.lines
    assert ax.get_ylabel() == "depth (µm)"
    assert len(ax.collections) == 1
    assert plot_traces(recording, duration_s=0.02, channel_ids=[3, 1]).get_yticklabels()[1].get_text() == "3"
    assert _saved(ax.figure, tmp_path) > 10_000


def test_traces_without_a_probe_and_at_the_end():
    recording = make_recording(np.random.default_rng(0).normal(size=(1000, 3)), sampling_frequency=1000.0)
    ax = plot_traces(recording, start_s=0.95, duration_s=1.0)
    assert len(ax.lines[0].get_xdata()) == 50
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2", "1", "0"]


def test_constant_traces_are_drawn():
    plot_traces(make_recording(np.ones((100, 2), "i2"), sampling_frequency=1000.0), duration_s=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_s": 9.0}, "from 0 to 4 s"),
        ({"duration_s": 0.0}, "duration_s"),
        ({"mode": "line"}, "did you mean 'lines'"),
        ({"channel_ids": [77]}, "channels 77"),
        ({"spacing": -1.0}, "spacing"),
    ],
)
def test_traces_refuse(simulated, options, message):
    with pytest.raises(ParameterError, match=message):
        plot_traces(simulated[0], **options)


def test_probe_crosses_out_bad_channels(simulated):
    recording = simulated[0].assign_coords(bad=("channel", np.arange(8) == 2))
    ax = plot_probe(recording)
    assert len(ax.patches) == 8
    assert ax.lines[0].get_xydata().tolist() == [[recording.x.values[2], recording.y.values[2]]]
    assert {t.get_text() for t in ax.texts} == {str(c) for c in recording.channel.values}
    with pytest.raises(RecordingError, match="plot of the probe"):
        plot_probe(recording.drop_vars("x"))


def test_raster_of_peaks_and_of_a_sorting(simulated, sorting, tmp_path):
    _, truth = simulated
    ax = plot_drift_raster(sorting)
    n = sorting["spikes"].sizes["spike"]
    offsets = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(offsets[:, 0], truth.spikes["sample_index"] / RATE, rtol=1e-6)
    assert len(np.unique(ax.collections[0].get_facecolor(), axis=0)) == 3
    assert len(plot_drift_raster(sorting, n_spikes_max=n // 2).collections[0].get_offsets()) == n // 2
    peaks = np.zeros(5, [("sample_index", "i8"), ("y", "f8"), ("amplitude", "f8")])
    peaks["amplitude"] = [-1, -2, -3, -4, -50]
    alpha = plot_drift_raster(peaks, sampling_frequency=RATE).collections[0].get_facecolor()[:, 3]
    assert np.all(np.diff(alpha) > 0)
    assert _saved(ax.figure, tmp_path) > 10_000


def test_raster_refuses():
    peaks = np.zeros(2, [("sample_index", "i8"), ("amplitude", "f8")])
    with pytest.raises(ParameterError, match=r"no y; localise"):
        plot_drift_raster(peaks, sampling_frequency=RATE)
    with pytest.raises(ParameterError, match="sampling_frequency"):
        plot_drift_raster(np.zeros(2, [("sample_index", "i8"), ("y", "f8"), ("amplitude", "f8")]))


def test_templates_have_a_panel_per_unit_but_noise(sorting):
    figure = plot_templates(sorting)
    titles = [ax.get_title(loc="center") for ax in figure.axes if ax.get_visible()]
    assert len(titles) == 2
    assert all("good" in title or "mua" in title for title in titles)
    only = plot_templates(sorting, unit_indices=[2])
    assert ["noise" in ax.get_title(loc="center") for ax in only.axes] == [True]
    with pytest.raises(ParameterError, match="3 units"):
        plot_templates(sorting, unit_indices=[3])


def test_templates_need_positions(sorting):
    bare = xr.DataTree.from_dict({"spikes": sorting["spikes"].to_dataset(), "units": sorting["units"].to_dataset()})
    with pytest.raises(ParameterError, match="no templates"):
        plot_templates(bare)


def test_waveforms_have_a_cell_of_their_own():
    staggered = np.array([[0, 0], [32, 0], [16, 20], [48, 20], [0, 40], [32, 40]], float)
    assert cell_size(staggered) == (32.0, 20.0)
    line = np.array([[0, 0], [0, 25], [0, 50]], float)
    assert cell_size(line) == (25.0, 25.0)
    tetrode = np.array([[0, 0], [20, 0], [0, 20], [20, 20]], float)
    assert cell_size(tetrode) == (20.0, 20.0)
    assert cell_size(np.zeros((1, 2))) == (20.0, 20.0)
    assert nearest_distance(np.zeros((3, 2))) == 20.0


@pytest.mark.parametrize(("length", "expected"), [(7.0, 5.0), (0.3, 0.2), (100.0, 100.0), (199.0, 100.0), (0.0, 1.0)])
def test_round_length(length, expected):
    assert round_length(length) == pytest.approx(expected)


def test_confusion_and_accuracy(simulated, tmp_path):
    _, truth = simulated
    result = compare(truth, truth)
    ax = plot_confusion(result)
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_array_equal(np.diag(shown)[:3], 1.0)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "missed"]
    assert _saved(ax.figure, tmp_path) > 5_000
    np.testing.assert_array_equal(plot_accuracy(result).lines[2].get_ydata(), [1, 1, 1])


def test_report(simulated, sorting, tmp_path):
    _, truth = simulated
    result = compare(truth, truth)
    figure = plot_report(sorting, comparison=result)
    assert figure.get_suptitle().startswith("3 units (1 good, 1 mua, 1 noise)")
    assert _saved(figure, tmp_path) > 30_000
    assert len(plot_report(sorting).axes) < len(figure.axes)
    assert "mean accuracy 1.00" in plot_report(None, comparison=result).get_suptitle()
    with pytest.raises(TypeError, match="nothing to draw of a NoneType"):
        plot_report(None)


def test_report_of_a_silent_recording(sorting, tmp_path):
    empty = xr.DataTree.from_dict({name: node.to_dataset() for name, node in sorting.children.items()})
    empty["spikes"] = xr.DataTree(empty["spikes"].to_dataset().isel(spike=slice(0)))
    empty["units"] = xr.DataTree(empty["units"].to_dataset().isel(unit=slice(0)))
    empty["templates"] = xr.DataTree(empty["templates"].to_dataset().isel(unit=slice(0)))
    empty.attrs["sampling_frequency"] = RATE
    assert _saved(plot_report(empty), tmp_path) > 1_000


def test_figures_leave_the_settings_alone(simulated):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot_probe(simulated[0])
    assert dict(mpl.rcParams) == before
