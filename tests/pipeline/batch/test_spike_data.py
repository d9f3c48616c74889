"""The units of a recording as trains, epochs, raster and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError
from xephys.pipeline import SpikeData


@pytest.fixture
def data() -> SpikeData:
    one = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 1], sampling_frequency=1000.0)
    one.attrs["n_samples"] = 400
    both = xephys.append_sortings([one, one])
    return SpikeData(both, xr.Dataset({"snr": ("unit", [4.0, 5.0])}, {"unit_id": ("unit", [1, 2])}), {"name": "a"})


def test_times_run_through_the_epochs_and_samples_count_in_each(data: SpikeData) -> None:
    assert [train.tolist() for train in data.train] == [[10, 300, 410, 700], [200, 600]]
    assert [samples.tolist() for samples in data.samples] == [[10, 300, 10, 300], [200, 200]]
    assert data.epochs == [(0, 400), (400, 800)] and data.length == 800
    assert [[t.tolist() for t in part.train] for part in data.split_epochs()] == [[[10, 300], [200]]] * 2
    assert data.raster(100).sum(axis=1).tolist() == [4, 2] and data.raster(100).shape == (2, 8)
    with pytest.raises(ParameterError, match="bin_ms"):
        data.raster(0)


def test_other_forms(data: SpikeData, tmp_path: Path) -> None:
    assert data.to_dataframe().loc[2, "snr"] == 5.0
    assert data.to_spikeinterface().get_num_segments() == 2
    assert data.to_sorting() is data.sorting
    data.to_npz(tmp_path / "a.npz")
    data.to_mat(tmp_path / "a.mat")
    assert np.load(tmp_path / "a.npz")["sample"].tolist() == [10, 200, 300] * 2
    assert repr(data) == "<SpikeData: 2 units, 6 spikes, 800 ms>"


def test_what_is_written_is_read_again(data: SpikeData, tmp_path: Path) -> None:
    data.write(tmp_path)
    again = SpikeData.open(tmp_path)
    assert again.metadata == data.metadata and again.units.identical(data.units)
    assert [train.tolist() for train in again.train] == [train.tolist() for train in data.train]


def test_without_units() -> None:
    empty = xephys.make_sorting(sample_index=[], labels=np.zeros(0, int), sampling_frequency=1000.0)
    data = SpikeData(empty, xr.Dataset())
    assert data.train == [] and data.raster(10).shape[0] == 0 and data.neuron_attributes == []
