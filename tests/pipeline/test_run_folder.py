"""The folder of a run is kept, refused or replaced; a run that did not finish does not count."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pipeline.conftest import quick_sorter
from xephys.errors import OutputError, ParameterError, RecordingError
from xephys.pipeline.failures import failure_of
from xephys.pipeline.run_folder import RunRecord, kept_run, read_run, remove_run, request_of, sorting_in, write_run


@pytest.fixture
def request_made(recordings):
    return request_of("quick", recordings["monday"], {"n_units": 2, "band": np.array([300.0, 6000.0])})


def test_the_request_depends_on_sorter_parameters_and_recording(recordings, request_made) -> None:
    monday, tuesday = recordings.values()
    given = {"n_units": 2, "band": [300.0, 6000.0]}
    assert request_of("quick", monday, given) == request_made
    for other in (
        request_of("slow", monday, given),
        request_of("quick", tuesday, given),
        request_of("quick", monday, {"n_units": 3}),
        request_of("quick", monday.isel(time=slice(0, 20_000)), given),
    ):
        assert other != request_made


def test_a_run_is_written_and_kept(recordings, request_made, tmp_path) -> None:
    assert kept_run(tmp_path, request_made, mode="raise") is None
    sorting = quick_sorter(recordings["monday"])
    write_run(tmp_path, RunRecord(request_made, "1", 2.5), sorting)
    kept = kept_run(tmp_path, request_made, mode="keep")
    assert kept == RunRecord(request_made, "1", 2.5)
    np.testing.assert_array_equal(sorting_in(tmp_path)["spikes"]["sample_index"], sorting["spikes"]["sample_index"])
    assert kept_run(tmp_path, request_made, mode="overwrite") is None
    with pytest.raises(OutputError, match=r"holds a run of 'quick' already.*mode='keep'"):
        kept_run(tmp_path, request_made, mode="raise")
    with pytest.raises(OutputError, match="run of another parameters"):
        kept_run(tmp_path, {**request_made, "parameters": {}}, mode="keep")


def test_a_failure_is_recorded_and_tried_again(recordings, request_made, tmp_path) -> None:
    write_run(tmp_path, RunRecord(request_made, "1", 2.5), quick_sorter(recordings["monday"]))
    failed = RunRecord(request_made, "1", 0.5, failure_of(RecordingError("too short")))
    write_run(tmp_path, failed, None)
    assert read_run(tmp_path) == failed
    assert not (tmp_path / "sorting.zarr").exists()
    assert kept_run(tmp_path, request_made, mode="keep") is None


def test_a_parameter_that_cannot_be_identified_is_refused(recordings) -> None:
    with pytest.raises(ParameterError, match="function cannot be identified"):
        request_of("quick", recordings["monday"], {"kernel": lambda x: x})


def test_only_the_files_of_a_run_are_removed(recordings, request_made, tmp_path) -> None:
    write_run(tmp_path, RunRecord(request_made, "1", 2.5), quick_sorter(recordings["monday"]))
    (tmp_path / "notes.txt").touch()
    remove_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("text", ["", "{", "{}", '{"request": 1, "version": "", "run_time_s": "x", "failure": null}'])
def test_an_unreadable_record_does_not_count(tmp_path, text) -> None:
    (tmp_path / "run.json").write_text(text)
    assert read_run(tmp_path) is None


def test_a_folder_with_other_files_is_refused(request_made, tmp_path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match="holds other files"):
        kept_run(tmp_path, request_made, mode="overwrite")
    with pytest.raises(OutputError, match="is a file"):
        kept_run(tmp_path / "thesis.tex", request_made, mode="keep")
    with pytest.raises(ParameterError, match=r"mode is 'kep'; .* did you mean 'keep'"):
        kept_run(tmp_path, request_made, mode="kep")
