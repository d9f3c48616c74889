"""Zarr stores: ours, SpikeInterface's, shards, and stores that are not recordings."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.io.bridge.spikeinterface import to_spikeinterface
from xephys.io.read.open import open_recording
from xephys.io.store import zarr
from xephys.io.store.save import save_recording
from xephys.preprocess.filter import bandpass_filter
from xephys.recording.segments import append_segments


@pytest.mark.skipif(zarr.zarr_major() >= 3, reason="SpikeInterface does not write with zarr 3")
def test_what_spikeinterface_saves_opens(tmp_path: Path, recording: xr.DataArray) -> None:
    bridged = to_spikeinterface(recording)
    quiet = {"progress_bar": False, "n_jobs": 1}
    with pytest.warns(UserWarning, match="not saved"):
        bridged.save(format="zarr", folder=tmp_path / "theirs.zarr", **quiet)
    bridged.save(folder=tmp_path / "theirs", **quiet)
    for name in ("theirs.zarr", "theirs"):
        opened = open_recording(
            tmp_path / name, trust=name == "theirs"
        )  # SpikeInterface pickles the property `anything`
        np.testing.assert_array_equal(opened.values, recording.values)
        assert opened.brain_area.values.tolist() == recording.brain_area.values.tolist()
        np.testing.assert_array_equal(opened.y.values, recording.y.values)
        assert float(opened.time[0]) == 12.5


def test_xarray_opens_the_arrays_as_they_are_stored(tmp_path: Path, recording: xr.DataArray) -> None:
    counts = recording.copy(data=recording.values.astype("int16"))
    counts[:50] = 0
    for segments, dims in ((counts, ("time",)), (append_segments([counts, counts[:500]]), ("time_seg0", "time_seg1"))):
        path = tmp_path / f"{len(dims)}.zarr"
        save_recording(segments, path)
        with warnings.catch_warnings():
            if zarr.zarr_major() < 3:
                warnings.simplefilter("error")
            stored = xr.open_zarr(path)
        assert [stored[f"traces_seg{k}"].dims for k in range(len(dims))] == [(name, "channel") for name in dims]
        np.testing.assert_array_equal(
            stored["traces_seg0"].values, counts.values
        )  # zeros are not read as missing values
        assert stored["traces_seg0"].dtype == np.int16
        assert stored["channel_ids"].values.tolist() == recording.channel.values.tolist()
        with pytest.raises(RecordingError, match="open its file itself"):
            bandpass_filter(stored["traces_seg0"].rename({dims[0]: "time"}))


def test_the_store_of_a_sorting_is_refused_as_a_recording(tmp_path: Path) -> None:
    zarr.new_group(tmp_path / "other").create_group("spikes")
    with pytest.raises(RecordingError, match="a sorting: use open_sorting"):
        open_recording(tmp_path / "other")


@pytest.mark.skipif(zarr.zarr_major() < 3, reason="zarr 2 has no shards")
def test_shards(tmp_path: Path, recording: xr.DataArray) -> None:
    import zarr as library

    save_recording(recording, tmp_path / "saved")
    stored = library.open_group(str(tmp_path / "saved"), mode="r")["traces_seg0"]
    assert stored.shards == (2000, 5)
    assert stored.chunks == (100, 5)
    assert len([path for path in (tmp_path / "saved" / "traces_seg0").rglob("*") if path.is_file()]) == 4 + 1
