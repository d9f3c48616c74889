"""The end of a clustering: labels for all peaks, and a log of thinned sections and dropped clusters."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.match.test_others import stored
from xephys import ParameterError
from xephys.cluster import settle
from xephys.cluster.settle import (
    Clustering,
    Refractory,
    spread_over_all,
    take_columns,
    take_records,
    thinned_sections,
    without_weak,
)
from xephys.kernels.cluster.drop import DROPPED
from xephys.kernels.cluster.reconcile import DECISION
from xephys.kernels.cluster.sections import Section
from xephys.schema import RecordingInfo


def clustering(labels, shifts):
    return Clustering(np.array(labels, np.int32), np.array(shifts, np.int64), np.zeros(0, DECISION))


def test_number_of_clusters():
    assert clustering([0, -1, 2], [0, 0, 0]).n_clusters == 3
    assert clustering([-1], [0]).n_clusters == clustering([], []).n_clusters == 0


def test_milliseconds_become_samples():
    info = RecordingInfo(30_000.0, 90_000, 4, "uV")
    assert Refractory.of_ms(info, refractory_ms=1.5, dead_ms=0.5) == Refractory(90_000, 45, 15)


def test_peaks_that_were_not_clustered_get_no_label():
    weak = np.zeros(2, DROPPED)
    found = spread_over_all(6, np.array([1, 3, 4]), clustering([0, -1, 1], [2, 0, -3]), weak=weak)
    assert found.labels.tolist() == [-1, 0, -1, -1, 1, -1]
    assert found.sample_shift.tolist() == [0, 2, 0, 0, -3, 0]
    assert len(found.dropped) == 2


def test_the_log_says_which_units_thinned_sections_can_hold():
    sections = [Section(np.array([4, 5]), np.array([4, 5])), Section(np.array([9]), np.array([9]))]
    log = thinned_sections(sections, [90, 8], [30, 8], 20)
    assert log.tolist() == [(4, 90, 30, 60, "more peaks than are clustered")]


def test_weak_clusters_are_dropped_with_the_reason():
    means = np.zeros((2, 1, 3))
    means[0], means[1] = 30.0, 0.1
    labels, channel = np.array([0, 0, 1, 1], np.int32), np.array([3, 3, 5, 5])
    labels, dropped = without_weak(labels, means, channel, noise=1.0, norm_min=6.0)
    assert labels.tolist() == [0, 0, -1, -1]
    assert dropped["reason"].tolist() == ["too weak to be a unit"]


@pytest.mark.parametrize("rows", [None, np.array([0, 2])])
def test_chosen_fields_of_chosen_peaks_are_read(rows):
    peaks = np.array([(1, 2.0, 3), (4, 5.0, 6), (7, 8.0, 9)], [("a", "i8"), ("b", "f8"), ("c", "i8")])
    taken = take_records(peaks, ("a", "c"), rows)
    assert taken.dtype.names == ("a", "c")
    assert taken["c"].tolist() == ([3, 6, 9] if rows is None else [3, 9])


def test_columns_are_contiguous_and_do_not_exist_beside_their_records(tmp_path, monkeypatch):
    monkeypatch.setattr(settle, "N_RECORDS_AT_A_TIME", 100)
    peaks = np.zeros(20_000, [("sample_index", "i8"), ("gain", "f8"), ("projection", "f4", (6, 5))])
    peaks["sample_index"], peaks["projection"] = np.arange(20_000), np.random.default_rng(0).random((20_000, 6, 5))
    on_disk, rows = stored(peaks, tmp_path / "peaks", n_chunks=50), np.arange(0, 20_000, 2)
    take_columns(on_disk, ("sample_index",), rows[:9])  # so that what is imported and started once is not counted
    tracemalloc.start()
    taken = take_columns(on_disk, ("sample_index", "projection"), rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for name, column in taken.items():
        assert column.flags.c_contiguous and column.dtype == peaks[name].dtype
        assert np.array_equal(column, peaks[name][rows])
    assert peak < 1.4 * sum(column.nbytes for column in taken.values())
    assert np.array_equal(take_columns(peaks, ("projection",), rows)["projection"], taken["projection"])


def test_clustered_peaks_become_spikes():
    peaks = np.zeros(4, [("sample_index", "i8"), ("channel_index", "i8")])
    peaks["sample_index"], peaks["channel_index"] = [10, 12, 13, 20], [3, 4, 5, 3]
    spikes = clustering([1, 0, -1, 1], [5, 0, 0, -1]).spikes(peaks)
    assert spikes[["sample_index", "channel_index", "unit_index"]].tolist() == [(12, 4, 0), (15, 3, 1), (19, 3, 1)]
    with pytest.raises(ParameterError, match="3 peaks are given and 4 were clustered"):
        clustering([1, 0, -1, 1], [0] * 4).spikes(peaks[:3])
