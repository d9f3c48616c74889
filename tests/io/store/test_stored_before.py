"""Sortings that the first version stored still open, with what it found, and can be reused.

``stored/`` has sortings of five simulated seconds on a tetrode (``seed=1``), written before modules lay in rooms by
what they do. They must never be written anew: a later version would store them as it reads them.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
import xarray as xr

import xephys
from xephys.testing import simulate_recording

STORED = Path(__file__).with_name("stored")


@pytest.fixture(scope="module")
def tetrode() -> tuple[xr.DataArray, xr.DataTree]:
    return simulate_recording(duration_s=5, n_channels=4, n_units=2, probe="tetrode", seed=1)


def opened(preset: str, folder: Path) -> xr.DataTree:
    ZipFile(STORED / f"{preset}.zip").extractall(folder)
    return xephys.open_sorting(folder / f"{preset}.zarr")


@pytest.mark.parametrize("preset", ["default", "kilosort4"])
def test_an_old_sorting_opens_and_is_saved_again(
    tmp_path: Path, preset: str, tetrode: tuple[xr.DataArray, xr.DataTree]
) -> None:
    sorting = opened(preset, tmp_path)
    assert sorting.attrs["preset"] == preset
    assert sorting["units"]["num_spikes"].values.tolist() == [52, 47]
    assert sorting["units"]["label"].values.tolist() == ["good", "good"]
    assert xephys.compare(sorting, tetrode[1]).units["accuracy"].values.min() > 0.9
    xephys.save_sorting(sorting, tmp_path / "again.zarr")
    xr.testing.assert_identical(xephys.open_sorting(tmp_path / "again.zarr"), sorting)


@pytest.mark.parametrize("preset", ["default", "kilosort4"])
def test_operations_accept_an_old_sorting(
    tmp_path: Path, preset: str, tetrode: tuple[xr.DataArray, xr.DataTree]
) -> None:
    sorting = opened(preset, tmp_path)
    xephys.export_phy(sorting, tmp_path / "phy", recording=tetrode[0])
    assert xephys.open_sorting(tmp_path / "phy")["spikes"].sizes["spike"] == 99
    merged = xephys.merge_units(sorting, [0, 1])
    assert merged["units"]["num_spikes"].values.tolist() == [97]  # of two spikes at one time, one is kept


def test_another_recording_is_sorted_with_an_old_sorting(
    tmp_path: Path, tetrode: tuple[xr.DataArray, xr.DataTree]
) -> None:
    sorting = opened("default", tmp_path)
    again = xephys.sort(tetrode[0], learned=sorting)
    assert xephys.compare(again, sorting).units["accuracy"].values.min() > 0.95
