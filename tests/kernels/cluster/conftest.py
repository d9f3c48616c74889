"""Fixtures of the tests of clusters."""

from __future__ import annotations

import pytest

from tests.support.cluster_shapes import basis_of_shapes


@pytest.fixture(scope="module")
def basis():
    return basis_of_shapes()
