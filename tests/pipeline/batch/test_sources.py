"""Inputs of a batch: names, groups, and folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


def test_folders_of_several_kinds_or_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="holds no recording"):
        find_groups([tmp_path], sorter="default")
    for name in ("a.h5", "b.nwb"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ParameterError, match=r"2 kinds \(.h5, .nwb\)"):
        find_groups([tmp_path], sorter="default")
