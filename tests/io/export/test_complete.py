"""What all exporters need: columns of the analysis, one axis of time, spikes by unit."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.errors import ParameterError
from xephys.io.export.complete import (
    by_unit,
    completed,
    intervals_s,
    own_channels,
    peak_channels,
    samples_on_one_axis,
    times_on_one_axis,
    with_templates,
)


def test_metrics_of_the_analysis_take_precedence_over_the_sorters():
    _, sorting = analyzed_sorting()
    other = sorting.copy()
    other["units"] = other["units"].to_dataset().assign(snr=("unit", np.zeros(4)))
    tree, results = completed(other)
    np.testing.assert_array_equal(tree["units"]["snr"].values, results["quality_metrics"]["snr"].values)
    assert tree["units"]["snr"].values.all()
    assert tree["spikes"]["amplitude"].dims == ("spike",)


def test_channels_of_units_with_and_without_an_analysis():
    _, sorting = analyzed_sorting()
    tree, results = completed(sorting)
    np.testing.assert_array_equal(own_channels(tree, results), sorting["analysis/sparsity"]["channel_index"].values)
    np.testing.assert_array_equal(peak_channels(tree), sorting["analysis/sparsity"]["peak_channel"].values)
    dense = np.abs(tree["templates"]["templates"].values).max(axis=1)
    for unit, row in enumerate(own_channels(tree, {})):
        assert row[row >= 0].tolist() == np.flatnonzero(dense[unit]).tolist()


def test_a_sorting_without_templates_is_refused_with_the_remedy():
    sorting = xephys.make_sorting(times_s=[0.1, 0.2], labels=[1, 2], sampling_frequency=1000.0)
    with pytest.raises(ParameterError, match=r"ALF needs templates .*xephys.analyze"):
        with_templates(sorting, None, what="ALF")


def test_segments_share_a_clock_or_follow_one_another():
    _, sorting = analyzed_segments()
    samples, times = samples_on_one_axis(sorting), times_on_one_axis(sorting)
    assert (np.diff(samples) >= 0).all()
    np.testing.assert_allclose(times, samples / 30_000.0, atol=1e-9)  # the second segment begins where the first ends
    np.testing.assert_allclose(intervals_s(sorting), [[0, 3], [3, 6]])
    apart = sorting.copy()
    apart.attrs["start_s"] = [0.0, 100.0]
    assert intervals_s(apart).tolist() == [[0.0, 3.0], [103.0, 106.0]]
    over = sorting.copy()
    over.attrs["start_s"] = [0.0, 0.0]
    over.attrs["first_sample"] = [0, 0]
    np.testing.assert_allclose(times_on_one_axis(over)[-1], samples_on_one_axis(over)[-1] / 30_000.0)


def test_spikes_by_unit_are_in_order_of_time():
    times = np.array([0.3, 0.1, 0.2, 0.4])
    sorting = xephys.make_sorting(times_s=times, labels=[1, 0, 1, 0], sampling_frequency=1000.0)
    given = np.asarray(sorting["spikes"]["time"].values)
    order, ends = by_unit(sorting, given)
    assert [part.tolist() for part in np.split(given[order], ends[:-1])] == [[0.1, 0.4], [0.2, 0.3]]
