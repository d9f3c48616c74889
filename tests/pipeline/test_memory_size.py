"""Amounts of memory as text."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError
from xephys.pipeline.memory_size import bytes_of


@pytest.mark.parametrize(("text", "n"), [("16G", 16 * 10**9), ("1.5 GiB", 1_500_000_000), ("800", 800), ("2tb", 2e12)])
def test_amounts_are_read(text: str, n: int) -> None:
    assert bytes_of(text) == n


@pytest.mark.parametrize("text", ["", "many", "-1G", "0", "infG"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="not an amount of memory"):
        bytes_of(text)
