"""The sorting that the tests of the preset compare with."""

from __future__ import annotations

import pytest

from tests.support.sortings import sort_kilosort4 as sort


@pytest.fixture(scope="module")
def expected(opened):
    """The sorting in chunks of two seconds."""
    return sort(opened(2.0))
