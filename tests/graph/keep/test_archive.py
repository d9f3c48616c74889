"""Values in a file come back to the bit; only data is written or read."""

from __future__ import annotations

import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xephys.graph.keep.archive import NotStorable, read_archive, storable, write_archive
from xephys.schema import make_recording


@storable
@dataclass(frozen=True)
class Pair:
    left: np.ndarray
    right: object


@dataclass(frozen=True)
class Undeclared:
    left: int


def there_and_back(value):
    file = io.BytesIO()
    write_archive(file, value)
    file.seek(0)
    return read_archive(file)


RECORDS = np.array([(1, 2.5, "a"), (3, -0.0, "bc")], [("u", "i8"), ("v", "f4"), ("w", "U48")])
PLAIN = [
    None,
    True,
    7,
    -0.1,
    float("inf"),
    "text\n",
    b"\x00bytes",
    (1, (2.0, "x"), []),
    [None, [1]],
    {"a": 1, 2: {"b": (3,)}},
]
ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 4), "i2"),
    np.array(["a", "long"]),
    np.array([1 + 2j]),
    np.array(["2026-01-01"], "M8[s]"),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    RECORDS,
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_come_back(value):
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", ARRAYS, ids=lambda a: a.dtype.str)
def test_arrays_come_back(value):
    back = there_and_back((value, value[0] if value.size else None))
    assert back[0].dtype == value.dtype
    assert back[0].shape == value.shape
    assert back[0].tobytes() == value.tobytes()
    assert type(back[1]) is type(value[0] if value.size else None)


def test_containers_of_plain_values_come_back():
    value = np.empty((2, 2), object)
    value[:] = [[None, {"depth": 3}], ["text", [1, 2]]]
    back = there_and_back(value)
    assert back.dtype == object
    assert back.tolist() == value.tolist()
    rows = np.empty(2, object)
    rows[0], rows[1] = np.arange(3), np.arange(3)
    assert [row.tolist() for row in there_and_back(rows)] == [[0, 1, 2], [0, 1, 2]]


def test_labelled_arrays_come_back():
    array = xr.DataArray(
        np.arange(4.0).reshape(2, 2), dims=("unit", "channel"), name="level", coords={"channel": ["a", "b"]}
    ).assign_coords(x=("channel", [0.0, 20.0], {"units": "um"}), scalar=3)
    array.attrs = {"units": "uV", "window": (1, 2), "probe": {"contacts": [{"id": np.int64(3)}]}}
    xr.testing.assert_identical(there_and_back(array), array)
    data = xr.Dataset({"level": array.reset_coords("scalar", drop=True), "n": ("unit", [1, 2])}, attrs={"nbefore": 3})
    back = there_and_back(data)
    xr.testing.assert_identical(back, data)
    assert back["n"].dtype == data["n"].dtype
    assert there_and_back(array.rename(None)).name is None


def test_declared_dataclasses_come_back():
    back = there_and_back(Pair(np.arange(3), {"a": Pair(np.zeros(1), None)}))
    assert type(back) is Pair
    assert back.right["a"].left.tolist() == [0.0]
    with pytest.raises(TypeError, match="Undeclared is kept in a file and is not declared for it"):
        there_and_back(Undeclared(1))


@pytest.mark.parametrize(
    "value",
    [
        object(),
        np.array([object()]),
        make_recording(np.zeros((30, 2)), sampling_frequency=10.0),
        xr.DataArray(np.zeros(3), dims="a").chunk(),
        np.ma.masked_array([1.0]),
    ],
    ids=["object", "array of objects", "range index", "lazy", "masked"],
)
def test_anything_but_data_is_refused(value):
    file = io.BytesIO()
    with pytest.raises(NotStorable):
        write_archive(file, value)
    assert file.getvalue() == b""


class Evil:
    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.system, (f"touch {self.place}",)


def test_no_code_in_a_file_is_run(tmp_path: Path):
    ran, file = tmp_path / "ran", tmp_path / "x.npz"
    file.write_bytes(pickle.dumps(Evil(ran)))
    with pytest.raises(ValueError, match="pickle"):
        read_archive(file)
    np.savez(file, tree=np.frombuffer(b'{"array": "a"}', np.uint8), a=np.array([Evil(ran)], object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_archive(file)
    for text in (b'{"class": "subprocess.Popen", "fields": [["args", "x"]]}', b'{"class": "os.system"}', b"[1", b"{}"):
        np.savez(file, tree=np.frombuffer(text, np.uint8))
        with pytest.raises(ValueError, match=r"not an archive|nothing is known|Expecting"):
            read_archive(file)
    assert not ran.exists()
