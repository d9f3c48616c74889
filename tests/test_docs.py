"""The documentation links to what exists, and its generated lists are up to date."""

import re
import runpy
from pathlib import Path

import pytest

import xephys

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.joinpath("docs").rglob("*.md")), ROOT / "README.md"]
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        if target.startswith(("http://", "https://", "#")):
            continue
        assert (page.parent / target.split("#")[0]).exists(), f"{page.name} points to {target}, which does not exist"


def test_links_of_notebooks_lead_somewhere():
    for notebook in ROOT.joinpath("notebooks").glob("*.ipynb"):
        for target in re.findall(r"\]\((\.\./[^)]+)\)", notebook.read_text(encoding="utf-8")):
            assert (notebook.parent / target).exists(), f"{notebook.name} points to {target}"


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "index.md"
    listed = {(index.parent / target.split("#")[0]).resolve() for target in LINK.findall(index.read_text("utf-8"))}
    missing = [str(page) for page in PAGES[:-1] if page != index and page.resolve() not in listed]
    assert not missing


def test_list_of_functions_is_up_to_date():
    made = runpy.run_path(str(ROOT / "ci" / "make_api_page.py"))["api_page"]()
    stored = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert made == stored, "run python ci/make_api_page.py"


def test_table_of_parameters_is_up_to_date():
    made = runpy.run_path(str(ROOT / "ci" / "make_parameter_table.py"))["parameter_page"]()
    stored = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert made == stored, "run python ci/make_parameter_table.py"


@pytest.mark.parametrize("page", ["from_spikeinterface.md", "from_kilosort.md"])
def test_tables_of_names_are_up_to_date(page):
    made = runpy.run_path(str(ROOT / "ci" / "make_name_tables.py"))["page_with_table"](page)
    assert made == (ROOT / "docs" / "how_to" / page).read_text(encoding="utf-8"), "run python ci/make_name_tables.py"


def test_functions_named_beside_others_exist():
    text = (ROOT / "docs" / "how_to" / "from_spikeinterface.md").read_text(encoding="utf-8")
    table = text.partition("## Functions")[2].partition("## Parameters")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)} - {"recording"}
    assert len(named) > 20
    assert named <= set(xephys.__all__)


def test_figures_are_small():
    for figure in ROOT.joinpath("docs", "figures").glob("*.png"):
        assert figure.stat().st_size < 400_000, f"{figure.name} is larger than 400 kB"


def test_every_error_in_a_docstring_has_a_name():
    source = Path(xephys.__file__).parent
    sections = [
        (file.name, line)
        for file in source.rglob("*.py")
        for line in re.findall(r"\n +Raises\n +-+\n +(.*)\n", file.read_text(encoding="utf-8"))
    ]
    assert sections
    assert [one for one in sections if not re.fullmatch(r"[A-Z]\w+(, [A-Z]\w+)*", one[1])] == []
