"""A whole sort through the kernels for devices, on strict arrays, gives the same spikes."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support import device_arrays
from xephys.errors import ParameterError
from xephys.sorter.default.parameters import DefaultParameters

from ..support.sortings import assert_identical

N_REFINEMENTS = DefaultParameters().n_refinements


DURATION_S = 6.0  # strict arrays take ten times as long


@pytest.fixture(scope="module")
def shortened(opened):
    """A function that opens the beginning of the recording in chunks of the given number of seconds."""
    return lambda chunk_s: xephys.time_slice(opened(chunk_s), 0.0, DURATION_S)


@pytest.fixture(scope="module")
def sorted_here(shortened):
    return xephys.sort(shortened(2.0))


@pytest.fixture(scope="module")
def sorted_there(shortened):
    with device_arrays.installed() as device, device_arrays.counted() as copies:
        return xephys.sort(shortened(2.0), device=device), copies


def keys(sorting):
    """One number for each spike: unit and sample."""
    spikes = sorting["spikes"]
    return spikes["unit_index"].values * 10**9 + spikes["sample_index"].values


def test_spikes_equal_those_of_the_cpu(sorted_there, sorted_here):
    found, expected = sorted_there[0], sorted_here
    assert found["units"].sizes["unit"] == 6  # the other two fire too rarely for six seconds
    assert found["units"].sizes == expected["units"].sizes
    shared = len(np.intersect1d(keys(found), keys(expected)))
    assert shared >= 0.999 * max(found["spikes"].sizes["spike"], expected["spikes"].sizes["spike"])
    waveforms, own = (s["templates"]["templates"].values for s in (found, expected))
    assert np.abs(waveforms - own).max() < 1e-3 * np.abs(own).max()
    assert found.attrs["fingerprint"] == expected.attrs["fingerprint"]


def test_only_samples_are_copied_up_and_white_tiles_or_events_down(sorted_there, shortened):
    """Raw samples go up for estimates and once for the sort; white tiles come down once, and go up where they match."""
    found, copies = sorted_there
    n_channels, rate = shortened(2.0).sizes["channel"], 30_000
    n_tiles = -(-shortened(2.0).sizes["time"] // rate)
    samples = [shape for dtype, shape in copies.up if dtype == "<i2"]
    assert all(shape[1] == n_channels and shape[0] < 1.2 * rate for shape in samples)
    whole_traces = [
        dtype for dtype, shape in copies.down if len(shape) == 2 and shape[1] == n_channels and shape[0] > 9000
    ]
    assert whole_traces.count("<i2") == n_tiles + 1  # and the surroundings of the last one
    assert whole_traces.count("<f4") <= n_tiles  # excerpts for the noise levels
    n_matches = N_REFINEMENTS  # those after the refinement that looks at what is left, and the last one
    assert len(samples) <= (1 + 1 + n_matches) * (n_tiles + 1)
    assert len(found["spikes"]["sample_index"]) > 200


def test_chunks_change_no_bit_there(sorted_there, shortened):
    with device_arrays.installed() as device:
        assert_identical(xephys.sort(shortened(0.7001), device=device), sorted_there[0])


def test_units_learned_on_the_cpu_are_matched_on_the_device(expected, shortened):
    here = xephys.sort(shortened(2.0), learned=expected)
    with device_arrays.installed() as device:
        there = xephys.sort(shortened(2.0), learned=expected, device=device)
    assert len(np.intersect1d(keys(there), keys(here))) >= 0.999 * max(len(keys(there)), len(keys(here)))


def test_absent_devices_are_refused_before_any_work(opened, tmp_path, forbid_compute):
    with pytest.raises(ParameterError, match="device is 'abacus'"):
        xephys.sort(opened(2.0), device="abacus", folder=tmp_path / "work")
    assert not (tmp_path / "work").exists()
