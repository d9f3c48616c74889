"""Names follow content: the same when built again or in another process; different after any change."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xephys.graph.plan import Stage
from xephys.graph.source import BinarySource, PickledSource, ZarrSource, file_token

from . import toys

PRINT_NAMES = """
import sys
from tests.graph import toys
from xephys.graph.source import BinarySource
source = BinarySource(sys.argv[1], "<i2", 6, 5437, content=sys.argv[2])
print(toys.traces_on(source).name)
print(toys.events_on(source).data.name)
"""


def test_names_are_the_same_twice_and_in_another_process(source):
    names = [toys.traces_on(source).name, toys.events_on(source).data.name]
    assert names == [toys.traces_on(source).name, toys.events_on(source).data.name]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")]), "PYTHONHASHSEED": "7"}
    printed = subprocess.run(
        [sys.executable, "-c", PRINT_NAMES, source.path, source.content],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert printed.stdout.split() == names


def test_names_begin_with_the_last_stage(source):
    assert toys.traces_on(source).name.startswith("running_mean-")
    assert toys.events_on(source).data.name.startswith("with_waves-")


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(toys.SCALE, parameters={"gain": 1.7000000000000002}),
        dataclasses.replace(toys.SCALE, before=1),
        dataclasses.replace(toys.SCALE, after=1),
        dataclasses.replace(toys.SCALE, dtype=np.dtype("float64")),
        dataclasses.replace(toys.SCALE, func=toys.running_mean),
        dataclasses.replace(toys.SCALE, arrays={"matrix": np.zeros(1)}),
        dataclasses.replace(toys.SCALE, n_channels=6),
        dataclasses.replace(toys.SCALE, parameters={"gain": "1.7"}),
    ],
    ids=["parameter", "before", "after", "dtype", "kernel", "array", "channels", "text"],
)
def test_any_change_of_a_stage_changes_its_token(changed):
    assert changed.token != toys.SCALE.token


@pytest.mark.parametrize(
    "matrix",
    [np.eye(6), np.eye(6, dtype=np.float32) * 2, np.ones((4, 9), np.float32), np.zeros((6, 6), np.float32)],
    ids=["dtype", "values", "shape", "zeros"],
)
def test_any_change_of_an_array_changes_the_token(matrix):
    first = Stage(toys.mix, dtype=np.float32, arrays={"matrix": np.eye(6, dtype=np.float32)})
    assert Stage(toys.mix, dtype=np.float32, arrays={"matrix": matrix}).token != first.token


def test_the_memory_layout_of_an_array_does_not_matter():
    matrix = np.arange(36.0).reshape(6, 6)
    tokens = {
        Stage(toys.mix, dtype=np.float32, arrays={"matrix": m}).token for m in (matrix, np.asfortranarray(matrix))
    }
    assert len(tokens) == 1


def test_a_changed_file_changes_the_token(tmp_path):
    source = toys.write_binary(tmp_path, toys.samples(100))
    assert file_token(source.path) == source.content
    os.utime(source.path, ns=(0, 1))
    assert file_token(source.path) != source.content
    touched = file_token(source.path)
    with Path(source.path).open("ab") as file:
        file.write(b"more")
    os.utime(source.path, ns=(0, 1))
    assert file_token(source.path) != touched


@pytest.mark.parametrize(
    "change",
    [{"dtype_name": "<u2"}, {"n_file_channels": 5}, {"n_samples": 9}, {"offset_bytes": 2}, {"time_axis": 1},
     {"channels": (0, 1)}, {"content": "other"}],
)  # fmt: skip
def test_every_detail_of_a_binary_file_is_in_its_token(change):
    source = BinarySource("nowhere", "<i2", 6, 10, content="one")
    assert dataclasses.replace(source, **change).token != source.token


def test_tokens_of_other_sources():
    zarr = ZarrSource("store", "traces", 10, 2, "<i2", "one")
    assert dataclasses.replace(zarr, content="two").token != zarr.token
    pickled = PickledSource(b"one", 0, 10, 2, "<i2")
    assert dataclasses.replace(pickled, pickled=b"two").token != pickled.token
    assert dataclasses.replace(pickled, segment_index=1).token != pickled.token
