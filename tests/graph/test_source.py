"""Sources: what they read, that they are small, and their errors when a file has changed."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import zarr

from xephys.graph.build import to_dask
from xephys.graph.source import BinarySource, PickledSource, ZarrSource

from . import toys

TRACES = toys.samples(1000)


class Recording:
    """The methods that a pickled source needs of a recording object."""

    def get_traces(self, *, segment_index, start_frame, end_frame):
        return TRACES[start_frame:end_frame] + np.int16(segment_index)


def binary(folder: Path, *, time_axis=0, dtype="<i2", header=b"", channels=None) -> BinarySource:
    path = folder / f"traces{time_axis}.bin"
    laid_out = TRACES.astype(dtype) if time_axis == 0 else np.ascontiguousarray(TRACES.T.astype(dtype))
    path.write_bytes(header + laid_out.tobytes())
    return BinarySource(str(path), dtype, 6, 1000, len(header), time_axis, channels)


@pytest.mark.parametrize("channels", [None, (0, 5), (4, 1, 3)])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", "<u2"])
@pytest.mark.parametrize("time_axis", [0, 1])
def test_binary_files_of_either_order_byte_order_and_any_channels(tmp_path, time_axis, dtype, channels):
    source = binary(tmp_path, time_axis=time_axis, dtype=dtype, header=b"header!", channels=channels)
    expected = TRACES.astype(dtype)[:, list(channels or range(6))]
    assert (source.n_samples, source.n_channels, source.dtype) == (1000, expected.shape[1], np.dtype(dtype))
    for start, stop in [(0, 1000), (17, 18), (990, 1000), (5, 5)]:
        block = source.read(start, stop)
        assert block.shape == (stop - start, expected.shape[1])
        np.testing.assert_array_equal(block, expected[start:stop])
    array = to_dask(toys.plan_on(source))
    assert array.dtype.isnative
    np.testing.assert_array_equal(array.compute(scheduler="synchronous"), expected)


@pytest.mark.parametrize("time_axis", [0, 1])
def test_a_file_shortened_after_opening_is_reported(tmp_path, time_axis):
    source = binary(tmp_path, time_axis=time_axis)
    with Path(source.path).open("r+b") as file:
        file.truncate(11_500)
    with pytest.raises(
        OSError, match=r"ends at byte 11500, .* it has been shortened since it was opened: open it again"
    ):
        source.read(900, 1000)
    np.testing.assert_array_equal(source.read(0, 10)[:, 0], TRACES[:10, 0])


def test_a_deleted_file_is_named(tmp_path):
    source = binary(tmp_path)
    Path(source.path).unlink()
    with pytest.raises(FileNotFoundError, match=r"traces0\.bin"):
        source.read(0, 10)


def test_zarr_arrays_are_read(tmp_path):
    store = str(tmp_path / "traces.zarr")
    zarr.open_group(store, mode="w").create_dataset("seg/traces", data=TRACES, shape=TRACES.shape, chunks=(100, 6))
    source = ZarrSource(store, "seg/traces", 1000, 6, "<i2", "opened")
    np.testing.assert_array_equal(source.read(95, 205), TRACES[95:205])
    assert len(pickle.dumps(source)) < 1000
    np.testing.assert_array_equal(to_dask(toys.plan_on(source, chunk_samples=333)).compute(), TRACES)


def test_pickled_recordings_are_read():
    source = PickledSource(pickle.dumps(Recording()), 2, 1000, 6, "<i2")
    np.testing.assert_array_equal(source.read(10, 20), TRACES[10:20] + 2)
    np.testing.assert_array_equal(to_dask(toys.plan_on(source)).compute(scheduler="synchronous"), TRACES + 2)


class OpenFile:
    """A recording that keeps its file open after unpickling, like readers with memory maps."""

    def __init__(self, path):
        self.path = path

    def __setstate__(self, state):
        self.path = state["path"]
        self.traces = np.memmap(self.path, "<i2", mode="r").reshape(-1, 6)

    def get_traces(self, *, segment_index, start_frame, end_frame):
        return self.traces[start_frame:end_frame]


def test_a_replaced_file_is_read_again_through_the_same_pickle(tmp_path):
    path, new = tmp_path / "traces.bin", tmp_path / "new.bin"
    TRACES.tofile(path)
    first = PickledSource(pickle.dumps(OpenFile(str(path))), 0, 1000, 6, "<i2", content="first")
    np.testing.assert_array_equal(first.read(10, 20), TRACES[10:20])
    (TRACES + 1).tofile(new)
    new.replace(path)
    second = dataclasses.replace(first, content="second")
    np.testing.assert_array_equal(second.read(10, 20), TRACES[10:20] + 1)


def test_sources_pickle_small_and_equal(tmp_path):
    source = binary(tmp_path)
    assert len(pickle.dumps(source)) < 1000
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert copy.token == source.token
    assert dataclasses.replace(source, n_samples=5).token != source.token
