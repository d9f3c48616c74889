"""Fixtures of the tests of kernels on devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support import device_arrays
from xephys.kernels.lib.dispatch import namespace_of_device


@pytest.fixture(params=[*device_arrays.NAMESPACES, pytest.param("cuda", marks=pytest.mark.gpu)])
def xp(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Namespace of a device's arrays: every test of a device twin runs on NumPy, on strict arrays and on CuPy."""
    name = request.param
    with device_arrays.installed():
        yield namespace_of_device(name) if name == "cuda" else device_arrays.NAMESPACES[name]


@pytest.fixture(params=["simulator", pytest.param("cuda", marks=pytest.mark.gpu)])
def cuda_xp(request: pytest.FixtureRequest) -> Any:
    """For kernels written for CUDA: NumPy where Numba simulates a device, CuPy on a GPU."""
    from numba import config

    if request.param == "cuda":
        return namespace_of_device("cuda")
    if not config.ENABLE_CUDASIM:
        pytest.skip("Numba was not told to simulate a device: NUMBA_ENABLE_CUDASIM=1")
    return np


@pytest.fixture
def device_name() -> Iterator[str]:
    """A device of strict arrays, known by this name during the test."""
    with device_arrays.installed() as name:
        yield name
