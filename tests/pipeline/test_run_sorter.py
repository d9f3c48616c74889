"""One sorter on one recording: in memory, in a folder, by groups; kept, overwritten, failed."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.pipeline.conftest import failing_sorter, quick_sorter
from xephys.errors import OutputError, ParameterError
from xephys.pipeline.run_folder import read_run


def spikes_of(sorting):
    return sorting["spikes"].to_dataset()[["sample_index", "unit_index"]]


def test_without_a_folder_nothing_is_left(recordings, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    sorting = xephys.run_sorter(quick_sorter, recordings["monday"], n_units=3)
    assert sorting["units"].sizes["unit"] == 3
    assert not list(tmp_path.iterdir())


def test_a_folder_is_kept_refused_or_overwritten(recordings, tmp_path) -> None:
    calls = []

    def counted(recording):
        calls.append(1)
        return quick_sorter(recording)

    place = tmp_path / "run"
    first = xephys.run_sorter(counted, recordings["monday"], folder=place)
    assert sorted(path.name for path in place.iterdir()) == ["run.json", "sorting.zarr"]
    assert xephys.run_sorter(counted, recordings["monday"], folder=place, mode="keep").equals(first)
    assert len(calls) == 1
    with pytest.raises(OutputError, match="already"):
        xephys.run_sorter(counted, recordings["monday"], folder=place)
    with pytest.raises(OutputError, match="another recording"):
        xephys.run_sorter(counted, recordings["tuesday"], folder=place, mode="keep")
    xephys.run_sorter(counted, recordings["tuesday"], folder=place, mode="overwrite")
    assert len(calls) == 2


def test_work_files_are_kept_on_request(recordings, tmp_path) -> None:
    xephys.run_sorter(quick_sorter, recordings["monday"], folder=tmp_path, keep_work=True)
    assert (tmp_path / ".work").is_dir()


def test_an_error_of_the_sorter_is_raised_unchanged(recordings, tmp_path) -> None:
    with pytest.raises(ZeroDivisionError, match="no peaks"):
        xephys.run_sorter(failing_sorter, recordings["monday"], folder=tmp_path)
    assert read_run(tmp_path) is None


def test_units_of_groups_are_joined(recordings, tmp_path) -> None:
    sorting = xephys.run_sorter(quick_sorter, recordings["monday"], by="group", folder=tmp_path)
    assert sorting["units"]["group"].values.tolist() == [0, 0, 1, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["group_0", "group_1"]
    with pytest.raises(ParameterError, match="no 'shaft'"):
        xephys.run_sorter(quick_sorter, recordings["monday"], by="shaft")


def test_groups_of_segments_are_sorted(recordings) -> None:
    monday = recordings["monday"]
    sorting = xephys.run_sorter(quick_sorter, xephys.append_segments([monday, monday]), by="group")
    assert sorting["units"]["group"].values.tolist() == [0, 0, 1, 1]


def test_a_preset_gives_the_result_of_sort(tmp_path) -> None:
    recording, _ = xephys.testing.simulate_recording(duration_s=6, n_channels=8, n_units=2, seed=3)
    ours = xephys.run_sorter("xephys_default", recording, detect_threshold=6)
    assert spikes_of(ours).equals(spikes_of(xephys.sort(recording, detect_threshold=6)))
    assert np.isfinite(ours["units"]["x"]).all()
