"""Every name of SpikeInterface's API list of 2021-22 is accounted for: our own, through the bridge, or replaced."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import xephys

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "spikeinterface_names.tsv"
STATUS = ("own", "bridge", "replaced", "not yet")
#: Lines of the list itself.
N_NAMES = 656


def rows() -> list[dict[str, str]]:
    lines = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [dict(zip(("module", "kind", "name", "status", "what", "note"), line, strict=True)) for line in lines]


def resolved(what: str) -> Any:
    """The object behind ``xephys.NAME``, ``module:NAME`` or the path of a page."""
    if what.startswith("docs/"):
        return (ROOT / what).read_text(encoding="utf-8")
    module, _, names = what.partition(":") if ":" in what else ("xephys", "", what.removeprefix("xephys."))
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def test_the_list_is_complete() -> None:
    listed = rows()
    assert len(listed) == N_NAMES
    assert len({(row["module"], row["kind"], row["name"]) for row in listed}) == N_NAMES
    assert {row["status"] for row in listed} <= set(STATUS)


@pytest.mark.parametrize("status", ["own", "bridge", "replaced"])
def test_named_objects_exist(status: str) -> None:
    for what in {row["what"] for row in rows() if row["status"] == status}:
        assert what.startswith("spikeinterface.") == (status == "bridge"), what
        assert resolved(what), what


def test_missing_names_have_a_remark_and_do_not_exist() -> None:
    missing = [row for row in rows() if row["status"] == "not yet"]
    assert all(row["note"] and not row["what"] for row in missing)
    public = set(dir(xephys)) | set(dir(xephys.plot))
    assert not public & {row["name"] for row in missing if row["kind"] != "method"}


def test_our_own_functions_are_not_sent_through_the_bridge() -> None:
    public = set(dir(xephys)) | set(dir(xephys.plot))
    passed_by = {row["name"] for row in rows() if row["status"] == "bridge" and row["kind"] == "function"} & public
    assert not passed_by


def test_the_page_has_the_right_counts() -> None:
    page = (ROOT / "docs" / "how_to" / "analyze.md").read_text(encoding="utf-8")
    counts = Counter(row["status"] for row in rows())
    for status in STATUS:
        assert f"| {status} | {counts[status]} |" in page, f"write {counts[status]} for {status!r} into the page"
