"""The folder of a study holds a recording's truth and where it is; a name that is no folder's is refused."""

from __future__ import annotations

import pytest

import xephys
from xephys.comparison.study_folder import STUDY_NAME, create_folder, read_places, read_runs, truth_path
from xephys.errors import OutputError, ParameterError
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def pair():
    return simulate_recording(duration_s=1, n_channels=4, n_units=1, seed=0)


def test_a_recording_in_memory_is_saved_and_one_in_a_file_is_referred_to(pair, tmp_path):
    recording, truth = pair
    xephys.save_recording(recording, tmp_path / "kept.zarr")
    in_file = xephys.open_recording(tmp_path / "kept.zarr")
    in_memory = recording.copy(data=recording.values)
    create_folder(tmp_path / "study", {"memory": (in_memory, truth), "file": (in_file, truth)})
    assert read_places(tmp_path / "study") == {"memory": "recordings/memory.zarr", "file": "recordings/file.json"}
    assert xephys.open_sorting(truth_path(tmp_path / "study", "file")).spikes.sizes["spike"] > 0
    assert read_runs(tmp_path / "study") == {}


def test_other_folders_are_no_studies(tmp_path):
    for text in (None, "", "[]", "{}"):
        if text is not None:
            (tmp_path / STUDY_NAME).write_text(text)
        with pytest.raises(OutputError, match=r"holds no study; make one with GroundTruthStudy\.create"):
            read_places(tmp_path)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a\\b", 3])
def test_a_name_that_is_no_folder_s_is_refused_before_anything_is_written(pair, tmp_path, name):
    with pytest.raises(ParameterError, match="cannot be the name of a folder"):
        create_folder(tmp_path / "study", {"good": pair, name: pair})
    assert not list(tmp_path.iterdir())
