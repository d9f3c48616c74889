"""What may be written into a folder of results, and the space that it needs."""

import pytest

from xephys.cli import folders
from xephys.errors import OutputError


def test_the_space_needed_grows_with_the_recording():
    hour = folders.sort_bytes(384, 3600.0)
    assert 1e9 < hour < 1e10
    assert folders.sort_bytes(4, 10.0) < 5e7


def test_the_work_folder_of_an_unfinished_run_does_not_count_as_a_result(tmp_path):
    names = ("sorting.zarr", "phy")
    out = tmp_path / "out"
    folders.check_result_folder(out, names, overwrite=False)
    (out / ".work").mkdir(parents=True)
    folders.check_result_folder(out, names, overwrite=False)
    (out / "sorting.zarr").mkdir()
    folders.check_result_folder(out, names, overwrite=False)
    (out / "phy").mkdir()
    with pytest.raises(OutputError, match="already holds"):
        folders.check_result_folder(out, names, overwrite=False)
    (out / ".work").rmdir()
    (out / "phy").rmdir()
    with pytest.raises(OutputError, match=r"already holds sorting\.zarr;"):
        folders.check_result_folder(out, names, overwrite=False)
    folders.check_result_folder(out, names, overwrite=True)


def test_a_later_result_alone_is_not_an_unfinished_run(tmp_path):
    """phy's files are written last; a user may have curated them and moved the sorting away."""
    for name in (".work", "phy"):
        (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match=r"already holds phy; .*--overwrite"):
        folders.check_result_folder(tmp_path, ("sorting.zarr", "phy"), overwrite=False)
    folders.check_result_folder(tmp_path, ("sorting.zarr", "phy"), overwrite=True)


def test_remains_of_a_stopped_command_are_recognized(tmp_path):
    assert folders.what_remains(None) == folders.what_remains(tmp_path) == "what was not finished has been removed"
    (tmp_path / ".work").mkdir()
    sentence = folders.what_remains(tmp_path)
    assert sentence == f"finished chunks are kept in {tmp_path / '.work'}; the same command resumes from there"
