"""Rasters, correlograms and intervals show the counts of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.analyzed import analyzed_sorting
from xephys.errors import ParameterError
from xephys.plot import plot_autocorrelograms, plot_crosscorrelograms, plot_isi_distribution, plot_rasters


def panels(frame):
    return [ax for ax in frame.figure.axes if ax is not frame and ax.get_visible()]


def heights(panel):
    return panel.patches[0].get_data().values


def test_a_raster_has_a_tick_for_each_spike_in_its_window():
    _, sorting = analyzed_sorting()
    ax = plot_rasters(sorting, start_s=2.0, duration_s=3.0)
    times = sorting["spikes"]["time"].values
    assert len(ax.collections[0].get_segments()) == ((times >= 2.0) & (times <= 5.0)).sum()
    assert ax.get_xlabel() == "time (s)"
    one = plot_rasters(sorting, unit_ids=[2], start_s=0.0, duration_s=15.0)
    assert len(one.collections[0].get_segments()) == (sorting["spikes"]["unit_index"].values == 2).sum()


def test_correlograms_have_the_counts_of_the_analysis():
    _, sorting = analyzed_sorting()
    counts = sorting["analysis/correlograms"]["counts"].values
    for unit, panel in enumerate(panels(plot_autocorrelograms(sorting))):
        np.testing.assert_array_equal(heights(panel), counts[unit, unit])
    pair = panels(plot_crosscorrelograms(sorting, unit_ids=[0, 3]))
    assert len(pair) == 4
    np.testing.assert_array_equal(heights(pair[1]), counts[3, 0])
    np.testing.assert_array_equal(heights(pair[2]), counts[0, 3])
    # Spikes of unit 3 that follow spikes of unit 0 are counted right of the middle in the first row.
    times, units = sorting["spikes"]["time"].values, sorting["spikes"]["unit_index"].values
    lags = (times[units == 3][:, None] - times[units == 0][None]).ravel() * 1e3
    late = int(((lags > 1e-6) & (lags < 25 - 1e-6)).sum())
    assert heights(pair[1])[len(heights(pair[1])) // 2 :].sum() == pytest.approx(late, abs=1)


def test_intervals_have_the_counts_of_the_analysis():
    _, sorting = analyzed_sorting()
    for unit, panel in enumerate(panels(plot_isi_distribution(sorting))):
        np.testing.assert_array_equal(heights(panel), sorting["analysis/isi_histograms"]["counts"].values[unit])


def test_a_missing_analysis_is_named_with_the_call_that_makes_it():
    sorting = xephys.make_sorting(times_s=[0.1, 0.2], labels=[1, 2], sampling_frequency=1000.0)
    with pytest.raises(ParameterError, match=r"needs isi_histograms; call xephys.analyze"):
        plot_isi_distribution(sorting)
    with pytest.raises(ParameterError, match="correlograms"):
        plot_autocorrelograms(sorting)
