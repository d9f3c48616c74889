"""Sortings are saved and opened again; a failed save leaves nothing, and other stores are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from tests.support.sorting_trees import sorting_of
from xephys.errors import OutputError, ParameterError, RecordingError
from xephys.io.read.sortings import open_sorting
from xephys.io.store.sorting import save_sorting


def test_saved_and_opened(tmp_path: Path, recording: xr.DataArray, sorting: xr.DataTree) -> None:
    silent = sorting_of(recording, n_units=0, n_spikes=0)
    for name, tree in {"some": sorting, "silent": silent}.items():
        save_sorting(tree, tmp_path / f"{name}.zarr")
        opened = open_sorting(tmp_path / f"{name}.zarr")
        xr.testing.assert_identical(opened, tree)
        for node in tree.subtree:
            for variable in node.dataset.variables:
                assert opened[node.path].dataset[variable].dtype.kind == node.dataset[variable].dtype.kind
    assert sorted(path.name for path in tmp_path.iterdir()) == ["silent.zarr", "some.zarr"]
    with pytest.raises(OutputError, match="exists already"):
        save_sorting(sorting, tmp_path / "some.zarr")
    save_sorting(silent, tmp_path / "some.zarr", overwrite=True)
    assert open_sorting(tmp_path / "some.zarr")["spikes"].sizes["spike"] == 0


def test_a_failed_save_leaves_nothing(tmp_path: Path, sorting: xr.DataTree, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: xr.DataTree, store: str, **options: Any) -> None:
        Path(store).mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.DataTree, "to_zarr", half)
    with pytest.raises(KeyboardInterrupt):
        save_sorting(sorting, tmp_path / "sorting.zarr")
    assert list(tmp_path.iterdir()) == []


def test_other_stores_are_refused_as_sortings(tmp_path: Path, recording: xr.DataArray) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_sorting(tmp_path / "nothing.zarr")
    with pytest.raises(RecordingError, match="is not a sorting"):
        open_sorting(tmp_path)
    with pytest.raises(TypeError, match="got DataArray"):
        save_sorting(recording, tmp_path / "x.zarr")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no spikes/sample_index"):
        save_sorting(xr.DataTree(), tmp_path / "x.zarr")
