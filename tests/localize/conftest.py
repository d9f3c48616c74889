"""Peaks to be localized."""

from __future__ import annotations

import pytest

from tests.support.spiking import peaks


@pytest.fixture(scope="module")
def records():
    return peaks(radius_um=150.0).compute()
