"""The commands: their names, and an exit status for each kind of error."""

from __future__ import annotations

import inspect

import pytest
from typer.testing import CliRunner

from xephys.cli.app import COMMANDS, app
from xephys.cli.commands.sort import sort


def test_every_command_has_a_help_text():
    runner = CliRunner()
    listed = runner.invoke(app, ["--help"]).output
    for command in COMMANDS:
        name = command.__name__.replace("_", "-")
        done = runner.invoke(app, [name, "--help"])
        assert done.exit_code == 0, command
        assert name in done.output
        assert name in listed


def test_a_paragraph_of_the_help_has_no_line_breaks_of_the_source():
    shown = CliRunner().invoke(app, ["sort", "--help"], env={"COLUMNS": "240"}).output
    for paragraph in inspect.cleandoc(sort.__doc__).split("\n\n"):
        assert " ".join(paragraph.split()) in shown


@pytest.mark.parametrize("arguments", [["srot"], ["sort"], ["compare", "one"]])
def test_wrong_calls_have_the_status_of_wrong_use(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2
