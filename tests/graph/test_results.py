"""Results of calls: stored once, never stale, whole or absent."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xephys.errors import OutputError
from xephys.graph import results
from xephys.graph.checkpoint import run_events
from xephys.graph.keep.archive import storable
from xephys.graph.results import CallOnce, identity_of
from xephys.schema import make_recording

from . import toys

ROOT = Path(__file__).parents[2]
CALLS = []


@storable
@dataclass(frozen=True)
class Pair:
    left: np.ndarray
    right: float


def pair_of(values, *, factor=1.0):
    CALLS.append(factor)
    return Pair(np.asarray(values) * factor, float(factor))


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def test_the_second_call_reads_the_file(tmp_path):
    first = CallOnce(tmp_path)(pair_of, np.arange(3.0), factor=2.0)
    again = CallOnce(tmp_path)(pair_of, np.arange(3.0), factor=2.0)
    assert CALLS == [2.0]
    assert again.left.tobytes() == first.left.tobytes()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("pair_of-")


def test_nothing_is_stored_without_a_folder():
    CallOnce()(pair_of, [1.0])
    CallOnce()(pair_of, [1.0])
    assert len(CALLS) == 2


def test_none_is_a_result_too(tmp_path):
    for _ in range(2):
        assert CallOnce(tmp_path)(CALLS.append, 1) is None
    assert CALLS == [1]


def test_another_argument_or_other_code_is_another_call(tmp_path, monkeypatch):
    for values in (np.arange(3.0), np.arange(3), np.arange(3.0)[None]):
        CallOnce(tmp_path)(pair_of, values)
    monkeypatch.setattr(results, "_code", lambda: "edited")
    CallOnce(tmp_path)(pair_of, np.arange(3))
    assert len(CALLS) == len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "spoil", [lambda path: os.truncate(path, 20), lambda path: path.write_bytes(b"something else")]
)
def test_a_partial_file_is_computed_again(tmp_path, spoil):
    CallOnce(tmp_path)(pair_of, [1.0])
    spoil(next(tmp_path.iterdir()))
    assert CallOnce(tmp_path)(pair_of, [1.0]).left.tolist() == [1.0]
    assert CallOnce(tmp_path)(pair_of, [1.0]).right == 1.0
    assert len(CALLS) == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot create .*file.*; choose another folder"):
        CallOnce(tmp_path / "file" / "below")(pair_of, [1.0])


def test_arguments_that_cannot_be_identified_are_refused(tmp_path):
    with pytest.raises(TypeError, match="an argument of type object cannot be identified"):
        CallOnce(tmp_path)(pair_of, object())


def test_a_result_that_is_not_only_data_is_computed_again(tmp_path):
    """A recording and estimates from it may carry labels of any type."""
    for _ in range(2):
        assert isinstance(CallOnce(tmp_path)(labels_of_any_kind, 1)[0], Path)
    assert CALLS == [1, 1]
    assert list(tmp_path.iterdir()) == []


def labels_of_any_kind(value):
    CALLS.append(value)
    return np.array([Path("a")], object)


def recording_on(source, chunk_samples, **coordinates):
    plan = toys.plan_on(source).rechunked(chunk_samples)
    from xephys.graph.build import to_dask

    return make_recording(to_dask(plan), sampling_frequency=toys.RATE, coordinates=coordinates)


def test_a_recording_is_identified_by_its_plan_and_channels(source):
    n = toys.plan_on(source).n_channels
    known = identity_of(recording_on(source, 1000, x=np.zeros(n)))
    assert identity_of(recording_on(source, 700, x=np.zeros(n))) == known
    assert identity_of(recording_on(source, 1000, x=np.ones(n))) != known
    assert identity_of(recording_on(source, 1000, x=np.zeros(n)).isel(time=slice(0, 1000))) != known
    assert identity_of(recording_on(source, 1000, x=np.zeros(n)).compute()) != known


def test_events_are_identified_independently_of_chunks(source, tmp_path):
    table = toys.events_on(source)
    assert identity_of(run_events(table, tmp_path)) == identity_of(table)


def test_labelled_arrays_are_identified_by_values_coordinates_and_attributes():
    array = xr.DataArray([1.0, 2.0], dims="unit", name="a", coords={"unit": [0, 1]}, attrs={"nbefore": 3})
    data = xr.Dataset({"a": array, "b": ("unit", ["x", "y"])})
    others = [
        data.assign_coords(unit=[0, 2]),
        data.assign(a=array + 1),
        data.assign_attrs(rate=1.0),
        data.rename(a="c"),
        data.assign(a=array.assign_attrs(nbefore=4)),
    ]
    assert len({identity_of(one) for one in (data, *others)}) == 6
    assert identity_of(data.copy(deep=True)) == identity_of(data)


def test_identities_are_equal_in_another_process():
    text = "import numpy as np; from xephys.graph.results import identity_of; " + (
        "print(identity_of(({'a': np.arange(3), 'b': [1, 2.5, None, 'x']}, np.zeros(2, [('u', 'i8')]))))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
