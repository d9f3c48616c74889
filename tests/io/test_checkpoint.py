"""Traces stored where a pipeline branches: computed once, and never confused with others."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import OutputError, testing
from xephys.io.checkpoint import checkpoint
from xephys.schema import make_recording


@pytest.fixture
def recording():
    traces = np.random.default_rng(0).integers(-500, 500, (3000, 2)).astype("i2")
    return make_recording(traces, sampling_frequency=1000.0)


def test_the_second_call_computes_nothing(recording, tmp_path):
    filtered = xephys.highpass_filter(recording, freq_min_hz=100.0)
    first = checkpoint(filtered, tmp_path / "filtered")
    np.testing.assert_array_equal(first.values, filtered.values)
    assert first.attrs["history"].splitlines()[-1] == "checkpoint"
    with testing.forbid_compute():
        again = checkpoint(filtered, tmp_path / "filtered")
    np.testing.assert_array_equal(again.values, filtered.values)
    assert len(list(tmp_path.iterdir())) == 1


def test_other_parameters_have_another_store(recording, tmp_path):
    for corner in (100.0, 120.0):
        filtered = xephys.highpass_filter(recording, freq_min_hz=corner)
        np.testing.assert_array_equal(checkpoint(filtered, tmp_path / "filtered").values, filtered.values)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_path_that_ends_in_zarr_is_the_store_itself(recording, tmp_path):
    filtered, other = (xephys.highpass_filter(recording, freq_min_hz=hz) for hz in (100, 200))
    first = xephys.checkpoint(filtered, tmp_path / "x.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
    written = (tmp_path / "x.zarr").stat().st_mtime_ns
    again = xephys.checkpoint(filtered, tmp_path / "x.zarr")
    assert (tmp_path / "x.zarr").stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.values, filtered.values)
    with pytest.raises(OutputError, match="holds other traces than these; give another path"):
        xephys.checkpoint(other, tmp_path / "x.zarr")
