"""NumPy and MATLAB archives, read by xephys, SpikeInterface and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat

import xephys
from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.io.export.arrays import arrays_of, export_mat, export_npz


@pytest.mark.parametrize("made", [analyzed_sorting, analyzed_segments])
def test_archives_are_opened_here_and_by_spikeinterface(made, tmp_path):
    from spikeinterface.core import NpzSortingExtractor

    _, sorting = made()
    export_npz(sorting, tmp_path / "sorting.npz")
    back = xephys.open_sorting(tmp_path / "sorting.npz")
    for name in ("sample_index", "unit_index", "segment_index"):
        np.testing.assert_array_equal(back["spikes"][name], sorting["spikes"][name])
    assert back["units"]["label"].values.tolist() == sorting["units"]["label"].values.tolist()
    np.testing.assert_array_equal(back["units"]["num_spikes"], sorting["units"]["num_spikes"])
    theirs = NpzSortingExtractor(tmp_path / "sorting.npz")
    ours = xephys.to_spikeinterface(sorting)
    np.testing.assert_array_equal(theirs.to_spike_vector(), ours.to_spike_vector())
    assert theirs.unit_ids.tolist() == ours.unit_ids.tolist()


def test_text_names_and_units_without_spikes_are_written(tmp_path):
    sorting = xephys.make_sorting(times_s=[0.1, 0.2, 0.3], labels=["b", "a", "b"], sampling_frequency=1000.0)
    empty = sorting.copy()
    empty["spikes"] = empty["spikes"].to_dataset().isel(spike=[0, 2])
    counts = np.bincount(empty["spikes"]["unit_index"].values, minlength=2)
    empty["units"] = empty["units"].to_dataset().assign(num_spikes=("unit", counts))
    export_npz(empty, tmp_path / "sorting.npz")
    back = xephys.open_sorting(tmp_path / "sorting.npz")
    assert back["units"]["unit_id"].values.tolist() == sorting["units"]["unit_id"].values.tolist()
    assert sorted(back["units"]["num_spikes"].values.tolist()) == [0, 2]


def test_matlab_has_the_same_arrays(tmp_path):
    _, sorting = analyzed_sorting()
    export_mat(sorting, tmp_path / "sorting.mat")
    read = loadmat(tmp_path / "sorting.mat", squeeze_me=True)
    for name, values in arrays_of(sorting).items():
        np.testing.assert_array_equal(read[name], np.squeeze(values), err_msg=name)
