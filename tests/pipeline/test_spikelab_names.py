"""Every name of SpikeLab's spike_sorting is there, with equal defaults or a remark that the page explains."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from xephys import pipeline

DOCS = Path(__file__).parents[2] / "docs"


def rows() -> list[dict[str, str]]:
    text = (DOCS / "spikelab_names.tsv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [
        dict(zip(("kind", "group", "name", "there", "status", "where", "note"), line, strict=True)) for line in lines
    ]


def of_kind(*kinds: str) -> list[dict[str, str]]:
    return [row for row in rows() if row["kind"] in kinds]


def test_the_list_is_complete() -> None:
    assert len(rows()) == 130
    assert len({(row["kind"], row["group"], row["name"]) for row in rows()}) == 130


@pytest.mark.parametrize("row", of_kind("field"), ids=lambda row: f"{row['group']}.{row['name']}")
def test_fields_have_equal_defaults(row: dict[str, str]) -> None:
    made = getattr(pipeline, row["group"])()
    here = getattr(made, row["name"])
    if row["status"] == "replaced":
        assert row["name"] in (DOCS / "how_to" / "batch.md").read_text(encoding="utf-8") and row["note"]
    elif row["there"] == "<factory>":
        assert row["name"] in {one.name for one in fields(made)}
    else:
        assert repr(here) == row["there"] or float(here) == float(row["there"])


@pytest.mark.parametrize("row", of_kind("preset", "exception", "method", "function"), ids=lambda row: row["name"])
def test_presets_exceptions_methods_and_functions_take_what_they_took(row: dict[str, str]) -> None:
    module, _, names = row["where"].partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    if row["kind"] == "preset" or not row["there"]:
        return
    theirs = [part.split("=")[0].strip("* ") for part in row["there"].split(",") if part.strip() != "*"]
    ours = inspect.signature(found).parameters
    keywords = [one.name for one in ours.values() if one.kind is one.VAR_KEYWORD]
    assert [name for name in theirs if name not in ours and name not in keywords and name not in ("kwargs",)] == []
    if row["status"] == "replaced":
        assert row["note"]
