"""A recording on a device: its identity does not depend on the device, and unknown devices are refused."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support import device_arrays
from tests.support.on_device import recording
from xephys.errors import ParameterError
from xephys.graph.build import plan_of
from xephys.recording.device import on_cpu
from xephys.recording.fingerprint import recording_fingerprint


@pytest.fixture(autouse=True)
def device():
    with device_arrays.installed() as name:
        yield name


def test_operations_without_a_kernel_there_are_refused(device):
    there = xephys.to_device(recording(), device)
    with pytest.raises(ParameterError, match="common_reference has no kernel for device 'strict'; leave out to_device"):
        xephys.common_reference(there, reference="local")


def test_channels_and_time_are_sliced_on_the_device(device):
    there, here = xephys.bandpass_filter(xephys.to_device(recording(), device)), xephys.bandpass_filter(recording())
    found, expected = (t.isel(time=slice(40_000, 70_000), channel=[4, 2]) for t in (there, here))
    assert plan_of(found.data).device == device
    assert np.abs(found.values - expected.values).max() < 1e-4 * expected.values.std()


def test_a_chain_runs_on_the_cpu_without_its_move(device):
    there, here = xephys.bandpass_filter(xephys.to_device(recording(), device)), xephys.bandpass_filter(recording())
    assert plan_of(on_cpu(there).data).token == plan_of(here.data).token
    assert on_cpu(here) is here


def test_the_device_is_not_part_of_the_identity(device):
    there = xephys.to_device(recording(), device)
    assert recording_fingerprint(there) == recording_fingerprint(recording())
    assert plan_of(there.data).token != plan_of(recording().data).token
    assert there.dtype == recording().dtype
    assert xephys.to_device(there, device) is there


def test_unknown_and_absent_devices_are_refused(device):
    with pytest.raises(ParameterError, match="device is 'abacus'; it must be one of 'cpu', 'cuda', 'strict'"):
        xephys.to_device(recording(), "abacus")
    there = xephys.to_device(recording(), device)
    with device_arrays.installed("other"), pytest.raises(ParameterError, match="is on device 'strict' already"):
        xephys.to_device(there, "other")
