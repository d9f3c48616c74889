"""Fixtures of the tests of kernels on devices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import device_arrays


@pytest.fixture
def device_name() -> Iterator[str]:
    """A device of strict arrays, known by this name during the test."""
    with device_arrays.installed() as name:
        yield name
