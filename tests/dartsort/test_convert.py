"""A sorting of this package as dartsort's arrays, and these as tables and spike trains."""

from __future__ import annotations

import numpy as np
import pytest

from xephys import ParameterError, make_sorting
from xephys.dartsort.convert import LOCALIZATIONS, arrays_of_tree, data_frame, numpy_sorting, ts_group

TIMES, LABELS = np.array([10, 10, 40, 90, 120]), np.array([2, 2, 5, 5, 2])
FEATURES = {
    "amplitude": np.array([0.0, 1.0, 2.0, 4.0, 5.0]),
    "weight": np.linspace(0, 1, 5),
    LOCALIZATIONS: np.arange(15.0).reshape(5, 3),
    "matrix": np.zeros((5, 8, 4)),
}


def test_a_table_has_columns_of_single_numbers() -> None:
    columns = {"times_samples": TIMES, "labels": LABELS}
    every = data_frame(columns, FEATURES, numbers=True, places=True)
    assert list(every.columns) == ["times_samples", "labels", "amplitude", "weight", "x", "y", "z"]
    assert every["z"].tolist() == [2, 5, 8, 11, 14]
    assert list(data_frame(columns, FEATURES, numbers=False, places=False).columns) == ["times_samples", "labels"]


def test_trains_hold_the_spikes_of_their_unit() -> None:
    trains = numpy_sorting(TIMES, LABELS, 30_000.0)
    assert trains.get_unit_spike_train(5, segment_index=0).tolist() == [40, 90]
    pytest.importorskip("pynapple")
    group = ts_group(TIMES / 30_000, LABELS, FEATURES, {"depth": [1.0, 2.0]}, with_means=True, weight_key="weight")
    assert group[2].values.tolist() == [0.0, 0.25, 1.0]
    assert group["mean_amplitude"].tolist() == [2.0, 3.0] and group["depth"].tolist() == [1.0, 2.0]
    plain = ts_group(TIMES / 30_000, LABELS, FEATURES, {}, with_means=False, weight_key="none")
    assert "mean_amplitude" not in plain.metadata_columns and len(plain[5]) == 2


def test_single_spikes_and_none_are_trains_too() -> None:
    pytest.importorskip("pynapple")
    lone = ts_group(np.array([0.2, 1.0, 2.0]), np.array([7, 8, 8]), {}, {}, with_means=False, weight_key="none")
    assert {unit: len(lone[unit]) for unit in (7, 8)} == {7: 1, 8: 2}
    single = ts_group(np.array([0.2]), np.array([7]), {}, {}, with_means=True, weight_key="none")
    assert len(single[7]) == 1
    assert len(ts_group(np.zeros(0), np.zeros(0, int), {}, {}, with_means=True, weight_key="none")) == 0


def test_a_sorting_that_does_not_know_its_channels_is_refused() -> None:
    unlocated = make_sorting(times_s=[0.5, 1.5], labels=[3, 8], sampling_frequency=20_000.0)
    with pytest.raises(ParameterError, match="does not know the channels of its units"):
        arrays_of_tree(unlocated)
