"""Checks of parameters: what passes, and the value, the limit and the remedy in each error."""

from __future__ import annotations

import ast
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xephys
from xephys.checks import (
    array_of_traces,
    check_choice,
    check_corner,
    check_keywords,
    check_positive,
    check_share,
    nearest_name,
)
from xephys.curate.bombcell import label_like_bombcell
from xephys.errors import ParameterError, RecordingError
from xephys.pipeline import SortingPipelineConfig, read_compiled

SORTING = xephys.make_sorting(sample_index=[1, 2], labels=[0, 0], sampling_frequency=1000.0)


@pytest.mark.parametrize("value", [0.0, 500.0, 700.0, -1.0, np.nan, np.inf])
def test_corners_lie_between_zero_and_nyquist(value):
    check_corner("freq_min_hz", 499.9, 1000.0)
    with pytest.raises(
        ParameterError, match=r"freq_min_hz is .* between 0 and the Nyquist frequency, 500 Hz, of this 1000"
    ):
        check_corner("freq_min_hz", value, 1000.0)


@pytest.mark.parametrize("value", [0, -2.5, np.nan, np.inf])
def test_positive_numbers(value):
    check_positive(a=1e-9, b=3)
    with pytest.raises(ParameterError, match=r"^b is .*; it must be greater than 0$"):
        check_positive(a=1, b=value)


@pytest.mark.parametrize("value", [0, 1.01, -0.5, np.nan])
def test_shares(value):
    check_share(a=1e-9, b=1)
    with pytest.raises(ParameterError, match=r"^b is .*; it must be above 0 and at most 1$"):
        check_share(a=1, b=value)


def test_choices_propose_the_nearest():
    check_choice("method", "median", ("median", "average"))
    with pytest.raises(
        ParameterError, match="method is 'medain'; it must be one of 'median', 'average'; did you mean 'median'"
    ):
        check_choice("method", "medain", ("median", "average"))
    with pytest.raises(ParameterError, match=r"one of 'median', 'average'$"):
        check_choice("method", "zzz", {"median": 1, "average": 2})


def test_keywords_are_those_that_the_builder_takes_by_name():
    def builder(window, *, radius_um, feature="ptp"): ...

    check_keywords({"radius_um": 1}, builder, what="method 'a'")
    with pytest.raises(
        ParameterError,
        match="method 'a' has no parameter 'radius'; it has radius_um, feature; did you mean 'radius_um'",
    ):
        check_keywords({"radius": 1}, builder, what="method 'a'")
    with pytest.raises(ParameterError, match="has no parameter 'window'"):
        check_keywords({"window": 1, "radius_um": 1}, builder, what="method 'a'")
    with pytest.raises(ParameterError, match="method 'a' needs radius_um; give it"):
        check_keywords({}, builder, what="method 'a'")


def test_a_parameter_of_the_function_that_passes_it_on_is_proposed():
    def builder(window, *, radius_um): ...

    with pytest.raises(ParameterError, match="'metod'; it has radius_um; did you mean 'method'"):
        check_keywords({"metod": 1}, builder, what="method 'a'", beside=["method"])


def test_nothing_is_proposed_if_no_name_is_near():
    assert nearest_name("detect_treshold", ["seed", "detect_threshold"]) == "detect_threshold"
    assert nearest_name("x", ["seed"]) is None


def test_nothing_follows_a_question():
    """In every text of the package, "did you mean ...?" ends the sentence."""
    followed, hints = [], 0
    for path in Path(xephys.__file__).parent.rglob("*.py"):
        for text in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(text, ast.JoinedStr):
                filled = [
                    ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else "" for part in text.values
                ]
                asks = [part in ("hint", "meant") or part.startswith("hint_for(") for part in filled]
                hints += sum(asks)
                followed += [f"{path.name}:{text.lineno}"] if any(asks[:-1]) else []
    assert hints > 8
    assert not followed


@pytest.mark.parametrize(
    "read", [SortingPipelineConfig.from_toml, read_compiled, lambda path: label_like_bombcell(SORTING, thresholds=path)]
)
def test_files_that_cannot_be_read_are_answered_with_what_they_should_be(read, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.x does not exist; give the path of [act]"):
        read(tmp_path / "none.x")
    with pytest.raises(ParameterError, match=r"cannot be read \(Is a directory\); give the path of"):
        read(tmp_path)


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "a.npz").write_text("nothing")
    with pytest.raises(ParameterError, match=r"does not hold a compiled recording \(sorted.npz\); give another"):
        read_compiled(tmp_path / "a.npz")


def test_truth_values_are_no_numbers():
    with pytest.raises(ParameterError, match="threshold is True, a bool; give one number"):
        check_positive(threshold=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "traces are of type NoneType; give a .time, channel. array"),
        ("raw.bin", r"traces are a path, 'raw.bin'; open it: open_recording\('raw.bin'\)"),
        (Path("raw.bin"), "traces are a path"),
        ({0: [1, 2]}, "traces are of type dict"),
        ((row for row in ()), "traces are of type generator"),
        (pd.DataFrame([[1, 2]]), r"traces are of type DataFrame; .* such as \.to_numpy\(\)"),
        (np.ma.masked_less([[1, 2]], 2), "a recording has no mask"),
        (da.ones((9, 2))[da.ones(9) > 0], "unknown number of samples"),
        (xr.DataArray([[1, 2]], coords={"channel": ("channel", [3, 4])}, dims=("time", "channel")), "would be lost"),
        (xr.DataArray([[1, 2]], attrs={"units": "uV"}), "would be lost"),
    ],
)
def test_traces_that_are_no_array(given, message):
    with pytest.raises(RecordingError, match=message):
        array_of_traces(given)


def test_arrays_of_every_kind_are_traces(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("traces", data=[[1, 2], [3, 4]])
        stored.attrs["gain"] = 0.195
        for given in (stored, [[1, 2]], np.ones((2, 2)), da.ones((2, 2)), xr.DataArray([[1, 2]])):
            assert array_of_traces(given).shape[1] == 2
