"""Recorded data is never replaced by a result, whatever folder it lies in."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import OutputError
from xephys.io.store.atomic import check_output

RESULTS = {
    "sorting": lambda tree, path: xephys.save_sorting(tree, path, overwrite=True),
    "phy": lambda tree, path: xephys.export_phy(tree, path, overwrite=True),
    "alf": lambda tree, path: xephys.export_alf(tree, path, overwrite=True),
    "pynapple": lambda tree, path: xephys.export_pynapple(tree, path, overwrite=True),
}


@pytest.fixture
def tree():
    sorting = xephys.make_sorting(times_s=[0.5, 1.5, 2.5], labels=[3, 8, 3], sampling_frequency=30_000.0)
    templates = xr.Dataset({"templates": (("unit", "sample", "channel"), np.ones((2, 4, 2), "f4"))})
    return sorting.assign(templates=xr.DataTree(templates))


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("format", ["zarr", "binary", "to_zarr"])
def test_no_result_replaces_a_recording(result, format, tree, tmp_path):
    recording = xephys.make_recording(np.ones((300, 2), "i2"), sampling_frequency=30_000.0)
    if format == "to_zarr":
        recording.to_dataset(name="traces").to_zarr(tmp_path / "rec")
    else:
        xephys.save_recording(recording, tmp_path / "rec", format=format)
    with pytest.raises(OutputError, match="is recorded data and is not overwritten by a result; choose another path"):
        RESULTS[result](tree, tmp_path / "rec")
    assert xephys.open_recording(tmp_path / "rec").values.sum() == 600
    xephys.save_recording(recording[:100], tmp_path / "rec", format="binary", overwrite=True)
    assert xephys.open_recording(tmp_path / "rec").values.sum() == 200


@pytest.mark.parametrize("name", ["recording.dat", "raw/100_CH1.continuous", "imec0/g0_t0.imec0.ap.BIN"])
def test_a_result_beside_recorded_data_is_not_replaced(name, tmp_path):
    # Kilosort writes its results, with params.py, into the folder of the recording if it is told to.
    folder = tmp_path / "session"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"samples")
    (folder / "params.py").touch()
    for is_recording in (False, True):
        with pytest.raises(OutputError, match=rf"which holds {name}, is recorded data"):
            check_output(folder, overwrite=True, is_recording=is_recording)
    with pytest.raises(OutputError, match=r"(dat|continuous|BIN) is recorded data"):
        check_output(folder / name, overwrite=True)
    (folder / name).unlink()
    check_output(folder, overwrite=True)
