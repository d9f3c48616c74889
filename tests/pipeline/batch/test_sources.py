"""Inputs of a batch: names, groups, and folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xephys.errors import ParameterError
from xephys.pipeline.batch.sources import find_groups


def test_a_folder_is_a_group_in_natural_order(tmp_path: Path) -> None:
    for name in ("rec10.h5", "rec2.h5", "notes.txt", "rec1.h5"):
        (tmp_path / "day" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "day" / name).write_bytes(b"")
    (group,) = find_groups([tmp_path / "day"], sorter="default")
    assert [part.name for part in group.parts] == ["rec1", "rec2", "rec10"]
    assert group.results == tmp_path / "sorted_default" / "day"
    assert group.results_of(group.parts[1]) == group.results / "rec2"


def test_results_of_a_batch_are_no_input_of_the_next(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    (well / "sorted_default").mkdir()
    (group,) = find_groups([str(well)], sorter="default")
    assert [part.name for part in group.parts] == ["file0", "file1", "file2"]


def test_a_folder_above_this_one_keeps_its_name(
    write_wells: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (well,) = write_wells(1)
    (well / ".inner").mkdir()
    monkeypatch.chdir(well / ".inner")
    for given in ("..", "../"):
        (group,) = find_groups([given], sorter="default")
        assert group.name == "well0" and group.results == well.parent / "sorted_default" / "well0"


def test_one_bad_folder_among_others_fails_alone(write_wells: Callable[..., list[Path]], tmp_path: Path) -> None:
    (well,) = write_wells(1)
    (tmp_path / "data" / "empty").mkdir()
    good, empty = find_groups([well, tmp_path / "data" / "empty"], sorter="default")
    assert good.refused is None and "holds no recording" in str(empty.refused)
    assert [part.name for part in empty.parts] == ["empty"] and empty.results.name == "empty"


def test_pictures_and_notes_beside_recordings_are_no_recordings(
    write_wells: Callable[..., list[Path]], tmp_path: Path
) -> None:
    (well,) = write_wells(1)
    for name in ("setup.png", "protocol.pdf", "probe.prb", "Thumbs.db"):
        (well / name).write_bytes(b"\x89PNG")
    (well / "file1.json").unlink()  # a recording that nobody describes is still one, and fails
    (group,) = find_groups([well], sorter="default")
    assert [part.name for part in group.parts] == ["file0", "file1", "file2"]


def test_names_that_differ_after_a_dot(tmp_path: Path) -> None:
    files = [tmp_path / f"run_g0.imec{number}.bin" for number in range(2)]
    for file in files:
        file.write_bytes(b"")
    apart = find_groups(files, sorter="default")
    assert [group.name for group in apart] == ["run_g0.imec0", "run_g0.imec1"]
    (joint,) = find_groups([tmp_path], sorter="default")
    assert [part.name for part in joint.parts] == ["run_g0.imec0", "run_g0.imec1"]
    (one,) = find_groups([tmp_path / "plate.raw.h5"], sorter="default")
    assert one.name == "plate"
    endings = find_groups([tmp_path / "a.h5", tmp_path / "a.nwb"], sorter="default")
    assert [group.name for group in endings] == ["a.h5", "a.nwb"]
    with pytest.raises(ParameterError, match="same folder"):
        find_groups([files[0], files[0]], sorter="default")


def test_folders_of_several_kinds_or_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="holds no recording"):
        find_groups([tmp_path], sorter="default")
    for name in ("a.h5", "b.nwb"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ParameterError, match=r"2 kinds \(.h5, .nwb\)"):
        find_groups([tmp_path], sorter="default")


def test_one_folder_in_place_of_a_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"one folder is given, 'out'; give a list with one for each recording"):
        find_groups([tmp_path / "a.bin"], sorter="default", results_folders="out")


def test_one_folder_is_not_for_work_and_results(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(ParameterError, match=r"'a' has one folder for work and results, .*; give two"):
        find_groups(
            [tmp_path / "a.h5"],
            sorter="default",
            intermediate_folders=[tmp_path / "x"],
            results_folders=[tmp_path / "x"],
        )


@pytest.mark.parametrize("given", [None, 3])
def test_what_is_no_list(given: Any) -> None:
    with pytest.raises(ParameterError, match=f"recording_files is {given}; give a list"):
        find_groups(given, sorter="default")
