"""Amplitudes over time, as distributions, and against depth."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.analyzed import analyzed_sorting
from xephys.errors import ParameterError
from xephys.plot import plot_amplitude_distributions, plot_amplitudes, plot_unit_depths
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording


def test_every_amplitude_is_a_dot():
    _, sorting = analyzed_sorting()
    ax = plot_amplitudes(sorting)
    units = sorting["spikes"]["unit_index"].values
    amplitude = sorting["analysis/spike_amplitudes"]["amplitude"].values
    assert ax.get_ylabel() == "amplitude (µV)"
    for unit, dots in enumerate(ax.collections):
        np.testing.assert_allclose(dots.get_offsets()[:, 1], amplitude[units == unit])


def test_distributions_mark_the_median():
    _, sorting = analyzed_sorting()
    ax = plot_amplitude_distributions(sorting, unit_ids=[1])
    units = sorting["spikes"]["unit_index"].values
    amplitude = sorting["analysis/spike_amplitudes"]["amplitude"].values[units == 1]
    assert ax.lines[1].get_ydata()[0] == pytest.approx(np.median(amplitude), rel=1e-6)


def test_depths_come_from_the_analysis():
    _, sorting = analyzed_sorting()
    dots = plot_unit_depths(sorting).collections[0].get_offsets()
    np.testing.assert_allclose(dots[:, 1], sorting["analysis/unit_locations"]["y"].values)
    units = sorting["spikes"]["unit_index"].values
    amplitude = np.abs(sorting["analysis/spike_amplitudes"]["amplitude"].values)
    for unit in range(4):
        own = np.sort(amplitude[units == unit])
        assert own[len(own) // 2 - 1] <= dots[unit, 0] <= own[len(own) // 2]


def test_depths_of_several_shanks_are_stacked_with_the_names_of_the_units():
    parts = [simulate_recording(duration_s=3, n_channels=4, n_units=2, probe="tetrode", seed=seed) for seed in (0, 1)]
    sorting = xephys.aggregate_units([truth_sorting(recording, truth) for recording, truth in parts])
    ax = plot_unit_depths(sorting)
    depth, own = ax.collections[0].get_offsets()[:, 1], sorting["units"]["y"].values
    np.testing.assert_allclose(depth[:2], own[:2])
    assert (depth[2:] - own[2:] > np.ptp(own)).all()
    assert ax.get_ylabel() == "depth (µm), shank by shank"
    assert [text.get_text() for text in ax.texts] == ["shank 0", "shank 1", "0:0", "0:1", "1:0", "1:1"]
    assert len(plot_unit_depths(sorting, names=False).texts) == 2


def test_missing_amplitudes_and_depths_are_named():
    sorting = xephys.make_sorting(times_s=[0.1, 0.2], labels=[1, 2], sampling_frequency=1000.0)
    with pytest.raises(ParameterError, match="no amplitudes"):
        plot_amplitudes(sorting)
    with pytest.raises(ParameterError, match="no depths"):
        plot_unit_depths(sorting)
