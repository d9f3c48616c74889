"""Every name of dartsort's interface is here, with its parameters."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import numpy as np
import pytest

import xephys.dartsort as own

TABLE = Path(__file__).parents[2] / "docs" / "dartsort_names.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def parameters_of(text: str) -> list[tuple[str, str | None]]:
    """Names and defaults of a signature in text; defaults contain no commas."""
    inside, parts, part = 0, [], ""
    for letter in text:
        inside += (letter in "[(") - (letter in ")]")
        if letter == "," and not inside:
            parts.append(part)
            part = ""
        else:
            part += letter
    named = []
    for piece in [*parts, part]:
        head, _, default = piece.partition("=")
        name = head.partition(":")[0].strip()
        if name and not name.startswith("*"):
            named.append((name, default.strip() or None))
    return named


@pytest.mark.parametrize("row", [r for r in ROWS if r[0] == "method"], ids=lambda row: f"{row[1]}.{row[2]}")
def test_methods_take_what_they_take_there(row: list[str]) -> None:
    method = getattr(getattr(own, row[1]), row[2])
    mine = signature(method).parameters
    for name, default in parameters_of(row[3] if len(row) > 3 else ""):
        assert name in mine
        if default is not None:
            assert repr(mine[name].default) == default


def test_the_call_and_its_result() -> None:
    names = [row[2] for row in ROWS if row[0] == "parameter"]
    assert list(signature(own.dartsort).parameters) == names
    keys = {row[2] for row in ROWS if row[0] == "key"}
    assert set(own.DARTsortReturn.__annotations__) == keys


@pytest.mark.parametrize("row", [r for r in ROWS if r[0] == "attribute"], ids=lambda row: row[2])
def test_attributes_of_a_motion(row: list[str]) -> None:
    info = own.MotionInfo.static(np.column_stack([np.zeros(4), 20.0 * np.arange(4)]))
    value = getattr(info, row[2])
    kinds = {"bool": bool, "float": float, "ndarray": np.ndarray}
    assert row[3] not in kinds or isinstance(value, kinds[row[3]])
