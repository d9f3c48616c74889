"""Calls as text: values of every kind come back equal, and no other text is accepted."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError
from xephys.written import N_VALUES_WRITTEN_MAX, read_call, show_value, write_call, write_value

MANY = np.arange(N_VALUES_WRITTEN_MAX + 1, dtype=np.float32).reshape(-1, 1)
VALUES = [
    3, -2.5, float("inf"), True, "a 'quoted' \"text\"\n", [1, [2]], (1,), (1, 2), {"a": 1, 2: [3]}, slice(1, None, 2),
    np.arange(4, dtype=np.int16), np.array(["a", "b"]), np.array([["x", 1]], object), MANY, MANY.astype(bool), b"raw",
]  # fmt: skip


def _same(one, other):
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back(value):
    name, arguments = read_call(write_call("step", {"value": value, "absent": None}))
    assert name == "step"
    assert list(arguments) == ["value"]
    assert _same(value, arguments["value"])


def test_labelled_arrays_come_back():
    array = xr.DataArray(
        np.random.default_rng(0).normal(size=(3, 40)), dims=("a", "b"), coords={"a": list("xyz")}, attrs={"units": "uV"}
    )
    read = read_call(write_call("step", {"one": array, "two": array.to_dataset(name="v")}))[1]
    xr.testing.assert_identical(read["one"], array)
    xr.testing.assert_equal(read["two"], array.to_dataset(name="v"))


def test_numpy_scalars_are_written_as_numbers():
    assert write_value([np.float32(0.5), np.int64(3), np.bool_(True)]) == "[0.5, 3, True]"


@pytest.mark.parametrize(
    "text",
    [
        "step(a=open('x'))", "step(a=__import__('os'))", "step(a=b)", "step(1)", "step(**{'a': 1})", "x.step(a=1)",
        "a = 1",
        "step(a=1", "step(a=[b for b in c])", "step(a=lambda: 1)", "step(a=packed('<f4', (9,), 'AA'))",
        "step(a=packed('O', (1,), 'AA'))", "step(a=array('x', 'no dtype'))", "step(a=<3>)", "(" * 500,
    ],
)  # fmt: skip
def test_other_texts_are_refused(text):
    with pytest.raises(ParameterError, match=r"read|write|value"):
        read_call(text)


def test_a_packed_array_cannot_unpack_to_more_than_it_declares():
    packed = write_value(np.zeros(1_000_000)).replace("(1000000,)", "(100,)")
    with pytest.raises(ParameterError, match="packed for 800"):
        read_call(f"step(a={packed})")


def test_values_that_cannot_be_written_are_named():
    with pytest.raises(TypeError, match="a object cannot be written"):
        write_call("step", {"a": object()})


def test_excerpts_of_traces_are_not_written():
    excerpts = [np.zeros((1500, 4), np.float32)] * 2
    with pytest.raises(TypeError, match="excerpts of traces"):
        write_value(excerpts)
    assert show_value(excerpts) == "<list>"
    assert read_call(write_call("f", {"few": [np.arange(3.0)]}))[1]["few"][0].tolist() == [0, 1, 2]


def test_people_see_shapes_in_place_of_arrays():
    assert [show_value(v) for v in (2.0, "x", MANY, xr.DataArray(np.zeros((2, 3))), object())] == [
        "2.0", "'x'", "<65 × 1>", "<2 × 3>", "<object>",
    ]  # fmt: skip
