"""One function opens a sorting in any format."""

import numpy as np
import pytest

import xephys
from tests.curate.trains import trains_of
from tests.support.sorting_trees import sorting_of
from xephys.errors import RecordingError
from xephys.schema import make_recording


@pytest.fixture
def sorting():
    places = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    return sorting_of(make_recording(np.zeros((2000, 4), "i2"), sampling_frequency=1000.0, coordinates=places))


def test_a_store_the_folder_of_a_sort_and_folders_around_those_of_phy(sorting, tmp_path):
    xephys.save_sorting(sorting, tmp_path / "out" / "sorting.zarr")
    xephys.export_phy(sorting, tmp_path / "run" / "sorter_output")
    for path in ("out/sorting.zarr", "out", "run", "run/sorter_output", "run/sorter_output/params.py"):
        assert trains_of(xephys.open_sorting(tmp_path / path)) == trains_of(sorting), path
        assert trains_of(xephys.open_sorting(str(tmp_path / path))) == trains_of(sorting), path


def test_arrays(tmp_path):
    np.savez(tmp_path / "spikes.npz", sample=[10, 20, 30], unit=[4, 9, 4], sampling_frequency=1000.0)
    assert trains_of(xephys.open_sorting(tmp_path / "spikes.npz")) == {4: [10, 30], 9: [20]}


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; check the path"):
        xephys.open_sorting(tmp_path / "nothing")
    (tmp_path / "sorted").mkdir()
    with pytest.raises(FileNotFoundError, match="sortd does not exist; check the path; there is 'sorted'"):
        xephys.open_sorting(tmp_path / "sortd")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match=r"not a sorting of a known kind: a Zarr store of save_sorting; .*phy or"):
        xephys.open_sorting(tmp_path / "empty")
