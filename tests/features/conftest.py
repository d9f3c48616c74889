"""Components learned from the shared case."""

from __future__ import annotations

import pytest

import xephys
from tests.support.spiking import case, peaks


@pytest.fixture(scope="module")
def components():
    return xephys.learn_components(case().filtered, peaks(), n_components=4, ms_before=0.7, ms_after=1.3)
