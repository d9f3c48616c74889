"""Every function of pyDANT is listed with its counterpart, or as missing, and what is named is there."""

from __future__ import annotations

import importlib
from inspect import signature
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[3] / "docs" / "dant_names.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def resolved(what: str) -> object:
    module, _, names = what.partition(":") if ":" in what else what.rpartition(".")
    found: object = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}.{row[1]}")
def test_the_counterpart_is_there(row: list[str]) -> None:
    _, name, parameters, status, what, note = row
    if status == "not yet":
        assert note and not what
        assert not hasattr(importlib.import_module("xephys.track.dant"), name)
        return
    found = resolved(what)
    if status == "own":
        names = [parameter.partition("=")[0].strip() for parameter in parameters.split(",") if parameter.strip()]
        assert [own for own in signature(found).parameters if own != "self"] == names  # type: ignore[arg-type]
    else:
        assert status == "replaced" and note
