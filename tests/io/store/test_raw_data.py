"""Recorded data is never replaced by a result, whatever folder it lies in."""

from __future__ import annotations

from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import OutputError
from xephys.io.read.format_hints import FILE_NAMES
from xephys.io.store.atomic import check_output
from xephys.io.store.raw_data import find_raw_data

RESULTS = {
    "sorting": lambda tree, path: xephys.save_sorting(tree, path, overwrite=True),
    "phy": lambda tree, path: xephys.export_phy(tree, path, overwrite=True),
    "alf": lambda tree, path: xephys.export_alf(tree, path, overwrite=True),
    "pynapple": lambda tree, path: xephys.export_pynapple(tree, path, overwrite=True),
    "npz": lambda tree, path: xephys.export_npz(tree, path, overwrite=True),
    "nwb": lambda tree, path: xephys.export_nwb(tree, path, session_start=START, overwrite=True),
}
START = datetime(2026, 11, 27, tzinfo=UTC)


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


def test_traces_that_xarray_wrote_are_found_by_their_dims(tmp_path):
    recording = xephys.make_recording(np.ones((300, 2), "i2"), sampling_frequency=30_000.0)
    recording.to_dataset(name="anything").to_zarr(tmp_path / "named.zarr")
    xephys.append_segments([recording, recording]).to_zarr(tmp_path / "segments.zarr")
    xr.Dataset({"motion": (("time", "depth"), np.ones((300, 2)))}).to_zarr(tmp_path / "motion.zarr")
    for name in ("named.zarr", "segments.zarr"):
        assert find_raw_data(tmp_path / name) is not None
        with pytest.raises(OutputError, match="is recorded data"):
            check_output(tmp_path / name, overwrite=True)
    assert find_raw_data(tmp_path / "motion.zarr") is None


@pytest.mark.parametrize("format", FILE_NAMES)
def test_the_files_of_every_format_are_recorded_data(format, tmp_path):
    about = (
        "structure.oebin",
        "sample_numbers.npy",
        "info.rhd",
        ".meta",
        ".oebin",
        ".ccf",
        ".json",
        ".pkl",
        ".pickle",
        ".zarr",
    )
    names = [f"rec{name}" if name.startswith(".") else name for name in FILE_NAMES[format] if not name.endswith(about)]
    for name in names:
        (tmp_path / name).write_bytes(b"samples")
        assert find_raw_data(tmp_path / name) == tmp_path / name
        (tmp_path / f"{name}.gz").write_bytes(b"samples")
        assert find_raw_data(tmp_path / f"{name}.gz") is not None


def _nwb(path, add):
    import pynwb

    file = pynwb.NWBFile(session_description="a session", identifier="1", session_start_time=START)
    add(file, pynwb)
    with pynwb.NWBHDF5IO(str(path), "w") as output:
        output.write(file)


def _acquired(file, pynwb):
    series = pynwb.TimeSeries(name="lfp", data=np.ones((9, 2)), unit="V", rate=1000.0)
    file.add_acquisition(series)


def _behavior(file, pynwb):
    series = pynwb.TimeSeries(name="speed", data=np.ones(9), unit="m/s", rate=10.0)
    file.create_processing_module(name="behavior", description="running").add(series)


def _stimulus(file, pynwb):
    file.add_stimulus(pynwb.TimeSeries(name="tone", data=np.ones(9), unit="V", rate=10.0))


def _trials(file, pynwb):
    file.add_trial(start_time=0.0, stop_time=1.0)


def _units(file, pynwb):
    file.add_unit(spike_times=[0.5, 1.0])


@pytest.mark.parametrize("add", [_acquired, _behavior, _stimulus, _trials])
def test_an_export_does_not_replace_an_nwb_file_with_what_was_measured(add, tree, tmp_path):
    path = tmp_path / "session.nwb"
    _nwb(path, add)
    before = path.read_bytes()
    for result in RESULTS.values():
        with pytest.raises(OutputError, match=r"session\.nwb is recorded data and is not overwritten by a result"):
            result(tree, path)
    assert path.read_bytes() == before


def test_an_export_replaces_an_nwb_file_with_units_alone(tree, tmp_path):
    path = tmp_path / "session.nwb"
    _nwb(path, _units)
    for _ in range(2):  # the second replaces what the first exported
        RESULTS["nwb"](tree, path)
        with h5py.File(path) as file:
            assert len(file["units/id"]) == 2


def test_an_hdf5_file_of_another_kind_is_recorded_data(tmp_path):
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["Data/Recording_0/samples"] = np.ones((9, 2))
        assert find_raw_data(tmp_path / "raw.h5") is not None  # one that is being written
    assert find_raw_data(tmp_path / "raw.h5") is not None
    with h5py.File(tmp_path / "features.h5", "w") as file:  # dartsort's
        file["times_samples"], file["channels"] = np.arange(5), np.zeros(5, int)
    assert find_raw_data(tmp_path / "features.h5") is None
