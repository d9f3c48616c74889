"""Sortings of a small recording by both presets, for merging and splitting units."""

import pytest

import xephys
from xephys.testing import simulate_recording

from ..support.sortings import sort_kilosort4


@pytest.fixture(scope="package")
def small():
    """A recording with three clear units."""
    return simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)[0]


@pytest.fixture(scope="package")
def sorted_default(small):
    return xephys.sort(small)


@pytest.fixture(scope="package")
def sorted_kilosort4(small):
    return sort_kilosort4(small)


@pytest.fixture(params=["default", "kilosort4"])
def sorted_units(request):
    """The sorting of either preset."""
    return request.getfixturevalue(f"sorted_{request.param}")
