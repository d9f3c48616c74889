"""Fixtures of the tests of kernels: devices, and traces for both sides of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support import crossings, device_arrays
from xephys.kernels.detect import peaks as detect
from xephys.kernels.lib.dispatch import namespace_of_device

RATE = 30_000.0


@pytest.fixture(params=[*device_arrays.NAMESPACES, pytest.param("cuda", marks=pytest.mark.gpu)])
def xp(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Array namespace: every test of a device kernel runs with NumPy, with strict arrays and with CuPy."""
    name = request.param
    with device_arrays.installed():
        yield namespace_of_device(name) if name == "cuda" else device_arrays.NAMESPACES[name]


@pytest.fixture(params=["simulator", pytest.param("cuda", marks=pytest.mark.gpu)])
def cuda_xp(request: pytest.FixtureRequest) -> Any:
    """For kernels written for CUDA: NumPy if Numba simulates a device, CuPy on a GPU."""
    from numba import config

    if request.param == "cuda":
        return namespace_of_device("cuda")
    if not config.ENABLE_CUDASIM:
        pytest.skip("Numba was not told to simulate a device: NUMBA_ENABLE_CUDASIM=1")
    return np


@pytest.fixture
def device_name() -> Iterator[str]:
    """A device of strict arrays, registered under this name during the test."""
    with device_arrays.installed() as name:
        yield name


@pytest.fixture(scope="module")
def counts():
    """Noise on slow waves and offsets a hundred times as large, as 16-bit integers."""
    rng = np.random.default_rng(0)
    t = np.arange(6000)[:, None] / RATE
    slow = 3000 * np.sin(2 * np.pi * 4 * t + rng.uniform(0, 6, 40)) + rng.uniform(-9000, 9000, 40)
    return np.round(slow + rng.normal(0, 60, (6000, 40))).astype(np.int16)


@pytest.fixture(scope="module")
def traces():
    """Noise smoothed in time and over channels, so that crossings meet on neighbors."""
    return crossings.make_traces()


@pytest.fixture(scope="module")
def events(traces):
    return detect.detect_locally_exclusive(
        traces,
        **crossings.EDGES,
        thresholds=np.full(crossings.CHANNELS, 3.0),
        neighbors=crossings.NEIGHBORS,
        exclude_sweep_samples=15,
    )
