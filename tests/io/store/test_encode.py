"""Arrays and plans as JSON: equal to the bit, and without anything that would have to be run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xephys.graph.plan import Plan, Stage
from xephys.graph.source import BinarySource
from xephys.io.store.encode import (
    NotDeclarative,
    decode_array,
    decode_plan,
    encode_array,
    encode_plan,
    encoded_if_plain,
    plain,
)
from xephys.kernels.preprocess.scale import scale


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, -0.0, np.nan, np.inf]),
        np.arange(6, dtype="<i2").reshape(2, 3),
        np.array(["a", "bc"]),
        np.array([True, False]),
        np.array([], "f4"),
    ],
)
def test_arrays_come_back(values):
    found = decode_array(json.loads(json.dumps(encode_array(values))))
    assert (found.dtype, found.shape) == (values.dtype, values.shape)
    assert found.tobytes() == values.tobytes()


def test_objects_that_are_data():
    values = np.array([None, {"depth": 3}, "text", 2.5, [1, 2]], object)
    assert decode_array(json.loads(json.dumps(encode_array(values)))).tolist() == values.tolist()


def test_objects_that_are_not_data_are_refused():
    values = np.array([print, None], object)
    with pytest.raises(NotDeclarative):
        encode_array(values)
    assert encoded_if_plain(values)[0] is print


def test_attributes_are_reduced_to_what_json_can_hold():
    given = {"a": np.float32(0.5), "b": np.arange(3), "c": (1, np.int64(2)), 4: {"d": np.array("x")}}
    assert json.loads(json.dumps(plain(given))) == {"a": 0.5, "b": [0, 1, 2], "c": [1, 2], "4": {"d": "x"}}


def test_a_plan_comes_back():
    source = BinarySource("nowhere.bin", "<i2", 4, 5000)
    plan = Plan.of_source(source, sampling_frequency=1000.0, chunk_samples=700)
    plan = plan.then(Stage(scale, dtype=np.dtype("f4"), parameters={"gain": 0.5, "offset": 0.0}))
    found = decode_plan(json.loads(json.dumps(encode_plan(plan))))
    assert found.identity == plan.identity
    assert found.chunks == plan.chunks
    assert [stage.token for stage in found.stages] == [stage.token for stage in plan.stages]


def test_a_kernel_without_a_name_is_refused():
    plan = Plan.of_source(BinarySource("nowhere.bin", "<i2", 4, 5000), sampling_frequency=1000.0, chunk_samples=700)

    def inner(traces):
        return traces

    with pytest.raises(NotDeclarative):
        encode_plan(plan.then(Stage(inner, dtype=np.dtype("f4"))))
