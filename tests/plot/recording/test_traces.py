"""Traces: the requested window in microvolts, computed no further than it reaches."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.support.figures import saved_size
from xephys.errors import ParameterError
from xephys.plot import plot_traces
from xephys.schema import make_recording
from xephys.testing import simulate_recording

RATE = 30_000.0


def test_the_window_is_drawn_in_microvolts(simulated, tmp_path):
    recording, _ = simulated
    ax = plot_traces(recording, start_s=1.0, duration_s=0.05, spacing=100.0)
    assert len(ax.lines) == 8 + 1  # the traces and the scale bar
    lowest = int(np.argmin(recording.y.values))
    window = recording.isel(time=slice(30_000, 31_500)).values[:, lowest] * 0.195
    time, line = ax.lines[0].get_data()
    np.testing.assert_allclose(line * 100, window - np.median(window), atol=1e-3)
    np.testing.assert_allclose(time, 1.0 + np.arange(1500) / RATE)
    assert ax.get_yticklabels()[0].get_text() == str(recording.channel.values[lowest])
    assert saved_size(ax.figure, tmp_path) > 10_000


def test_a_window_of_an_hour_computes_one_tile(monkeypatch):
    from xephys import simulation

    recording, _ = simulate_recording(duration_s=3600.0, n_channels=4, n_units=1, seed=0)
    read = []
    source = simulation.source.SimulationSource
    original = source.read
    monkeypatch.setattr(source, "read", lambda self, a, b: read.append(b - a) or original(self, a, b))
    plot_traces(recording.ephys.bandpass_filter(), start_s=1800.4, duration_s=0.01)
    assert 0 < sum(read) < 3 * RATE


def test_many_channels_are_drawn_as_a_map(tmp_path):
    recording, _ = simulate_recording(duration_s=1.0, n_channels=64, n_units=2, seed=0)
    recording = recording.assign_coords(bad=("channel", np.arange(64) == 5))
    ax = plot_traces(recording, duration_s=0.02)
    assert not ax.lines
    assert ax.get_ylabel() == "depth (µm)"
    assert len(ax.collections) == 1
    assert plot_traces(recording, duration_s=0.02, channel_ids=[3, 1]).get_yticklabels()[1].get_text() == "3"
    assert saved_size(ax.figure, tmp_path) > 10_000


def test_recordings_without_a_probe_and_windows_at_the_end_are_drawn():
    recording = make_recording(np.random.default_rng(0).normal(size=(1000, 3)), sampling_frequency=1000.0)
    ax = plot_traces(recording, start_s=0.95, duration_s=1.0)
    assert len(ax.lines[0].get_xdata()) == 50
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2", "1", "0"]


def test_constant_traces_are_drawn():
    ax = plot_traces(make_recording(np.ones((100, 2), "i2"), sampling_frequency=1000.0), duration_s=0.05)
    first, second = (line.get_ydata() for line in ax.lines[:2])
    assert np.ptp(first) == np.ptp(second) == 0 and abs(first[0] - second[0]) > 0


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
def test_bad_input_is_refused(simulated, options, message):
    with pytest.raises(ParameterError, match=message):
        plot_traces(simulated[0], **options)


def test_a_map_separates_shanks_and_leaves_gaps_empty():
    from xephys.plot.recording.traces import map_rows

    depth = np.tile([0.0, 20.0, 40.0, 200.0], 2)
    shanks = np.repeat([0, 1], 4)
    traces = np.full((3, 8), 5.0)
    traces[1, 1] = -200.0  # on one of the two shanks only
    edges, rows, ticks = map_rows(traces, depth, shanks)
    assert rows.min(where=np.isfinite(rows), initial=0) == -200.0
    assert np.isnan(rows[:, 0]).sum() == 3  # a gap in each shank, and one between them
    assert len(edges) == len(rows) + 1 and np.all(np.diff(edges) > 0)
    assert [label for _, label in ticks] == ["0: 0", "0: 200", "1: 0", "1: 200"]
    at = np.searchsorted(edges, 20.0) - 1
    assert rows[at, 1] == -200.0
    beside = map_rows(np.stack([np.full(3, -200.0), np.full(3, 10.0)], axis=1), [0.0, 0.0], np.zeros(2, int))[1]
    assert beside.tolist() == [[-200.0] * 3]


@pytest.mark.parametrize(("height", "n_labels"), [(6.3, 32), (4.0, 16)])
def test_names_of_channels_do_not_touch(height, n_labels):
    recording, _ = simulate_recording(duration_s=1, n_channels=32, n_units=1, seed=0)
    _, ax = plt.subplots(figsize=(4, height))
    plot_traces(recording, duration_s=0.02, ax=ax)
    assert len(ax.get_yticks()) == n_labels
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(one.y1 <= other.y0 + 2 for one, other in pairwise(boxes))
