"""The tests of the kernels for devices once more, on a GPU: the same functions, through CuPy."""

from __future__ import annotations

import inspect

import pytest

from tests.kernels.device import test_events, test_match, test_traces
from tests.kernels.device.test_events import events, traces
from tests.kernels.device.test_traces import counts
from xephys.kernels.dispatch import namespace_of_device

pytestmark = pytest.mark.gpu
__all__ = ["counts", "events", "traces"]

for _module in (test_events, test_match, test_traces):
    for _name, _test in inspect.getmembers(_module, inspect.isfunction):
        if _name.startswith("test_") and "xp" in inspect.signature(_test).parameters:
            globals()[_name] = _test


@pytest.fixture
def xp():
    return namespace_of_device("cuda")
