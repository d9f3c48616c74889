"""Shanks with contacts at the same place are drawn side by side."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.plot import plot_peak_activity, plot_probe, plot_unit_locations, plot_unit_probe_map
from xephys.plot.canvas.apart import Apart, nearest_distance, probe_size
from xephys.schema import make_recording
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording

from ..units.test_trains import panels


@pytest.fixture(scope="module")
def tetrodes():
    """Two tetrodes whose contacts have the same coordinates, and the true units of both."""
    parts = [simulate_recording(duration_s=3, n_channels=4, n_units=2, probe="tetrode", seed=seed) for seed in (0, 1)]
    recording = xephys.aggregate_channels([recording for recording, _ in parts])
    return recording, xephys.aggregate_units([truth_sorting(recording, truth) for recording, truth in parts])


def contacts_of(x, y, shank):
    recording = make_recording(
        np.zeros((9, len(x))), sampling_frequency=1e4, coordinates={"x": x, "y": y, "shank": shank}
    )
    return Apart.of(recording, np.stack([x, y], axis=1)), np.stack([x, y], axis=1)


def test_shanks_that_do_not_meet_stay_where_they_are():
    apart, contacts = contacts_of(np.array([0.0, 0, 90, 90]), np.array([0.0, 20, 0, 20]), ["a", "a", "b", "b"])
    assert not apart.moved
    np.testing.assert_array_equal(apart.place(contacts), contacts)


def test_shanks_that_meet_are_a_pitch_apart_in_their_order():
    apart, contacts = contacts_of(np.array([0.0, 20, 5, 25]), np.array([0.0, 0, 0, 0]), ["b", "b", "a", "a"])
    assert apart.moved and apart.names == ("a", "b")
    placed = apart.place(contacts)
    assert placed[:, 0].tolist() == [85.0, 105.0, 5.0, 25.0]
    assert apart.place(np.array([[10.0, 7.0]]), np.array([0])).tolist() == [[95.0, 7.0]]


def test_contacts_of_tetrodes_at_one_place_are_all_visible(tetrodes):
    recording, sorting = tetrodes
    corners = {patch.get_xy() for patch in plot_probe(recording).patches}
    assert len(corners) == 8
    peaks = np.zeros(9, [("channel_index", "i8")])
    activity = plot_peak_activity(peaks, recording)
    assert len({tuple(path.vertices[0]) for path in activity.collections[0].get_paths()}) == 8
    assert [tick.get_text() for tick in activity.get_xticklabels()] == ["0", "1"]
    contacts, *dots = plot_unit_locations(sorting).lines
    x = [dot.get_xdata()[0] for dot in dots]
    assert max(x[:2]) < contacts.get_xdata()[4:].min() <= min(x[2:])


def test_a_map_has_the_contacts_of_its_own_tetrode(tetrodes):
    sorting = tetrodes[1]
    sizes = np.ptp(sorting["templates"]["templates"].values, axis=1)
    maps = [panel for panel in panels(plot_unit_probe_map(sorting)) if panel.get_xlabel() == "x (µm)"]
    for unit, panel in enumerate(maps):
        own = slice(0, 4) if unit < 2 else slice(4, 8)
        np.testing.assert_allclose(panel.collections[0].get_array(), sizes[unit, own], rtol=1e-6)
    nearest = panels(plot_unit_probe_map(sorting, n_channels_max=2))[0].collections[0].get_array()
    assert len(nearest) == 2 and nearest.max() == pytest.approx(sizes[0].max(), rel=1e-6)


def test_figures_have_the_proportions_of_the_contacts():
    column = np.stack([np.zeros(100), 20.0 * np.arange(100)], axis=1)
    assert probe_size(column)[0] == 1.8 and probe_size(column)[1] > 5.0
    width, height = probe_size(column[:, ::-1])
    assert width > 6 and height < 2
    assert nearest_distance(column) == 20.0
