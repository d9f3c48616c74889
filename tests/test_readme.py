"""The README is correct: its example runs, its commands and functions exist, its links lead somewhere."""

import base64
import os
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import xephys
from xephys.cli.app import app
from xephys.sorter.presets import PRESETS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf8")


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_has_ten_lines():
    (block,) = _blocks("python")  # the next test runs it in a notebook
    assert len([line for line in block.splitlines() if line.strip()]) <= 10


@pytest.mark.slow
def test_the_ten_lines_in_a_fresh_notebook_show_a_picture_and_find_all_units(tmp_path, monkeypatch):
    nbformat, client = import_module("nbformat"), import_module("nbclient")
    known = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(known))
    cells = [*_blocks("python")[0].strip().split("\n\n"), "print(sorting['units'].sizes['unit'], truth.n_units)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    folder = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=folder).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    (picture,) = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(base64.b64decode(picture)) > 20_000
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    found, true = map(int, printed.split()[-2:])
    assert found == true
    assert f"{true} well detected" in printed


def test_commands_and_their_options_exist():
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line.startswith("xephys ")]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)
        text = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [words[1], "--help"]).output
        for option in (word for word in words if word.startswith("--")):
            assert option in text, f"{option} of {line!r}"


def test_tables_name_public_functions_commands_and_presets():
    rows = [row.split("|")[1:-1] for row in TEXT.splitlines() if row.startswith("| ")]
    after, presets = [row for row in rows if len(row) == 4][1:], [row for row in rows if len(row) == 2][1:]
    functions = {name for row in after for name in re.findall(r"`(?:xephys\.)?(\w+)`", row[1])}
    assert len(functions) > 12
    assert functions <= set(xephys.__all__)
    commands = {command for row in after for command in re.findall(r"`xephys ([\w-]+)`", row[2])}
    assert len(commands) > 8
    assert commands <= set(get_command(app).commands)
    assert {row[0].strip(" `") for row in presets} == set(PRESETS)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)(.*?)\)", TEXT))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
