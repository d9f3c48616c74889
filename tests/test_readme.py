"""The README is true: its example runs, its commands and functions exist, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import xephys
from xephys.cli.app import app

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf8")


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_python_blocks_run(capsys):
    blocks = _blocks("python")
    assert blocks
    for block in blocks:
        assert len([line for line in block.splitlines() if line.strip()]) <= 10
        exec(compile(block, "README.md", "exec"), {})
    assert "well detected" in capsys.readouterr().out


def test_commands_and_their_options_exist():
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line.startswith("xephys ")]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)
        text = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [words[1], "--help"]).output
        for option in (word for word in words if word.startswith("--")):
            assert option in text, f"{option} of {line!r}"


def test_table_names_public_functions():
    rows = re.findall(r"^\| (`.*?) \|.*$", TEXT, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 12
    assert named <= set(xephys.__all__)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)(.*?)\)", TEXT))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
