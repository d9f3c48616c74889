"""The command line called as a user calls it."""

from typer.testing import CliRunner

from xephys.cli.app import app


def run(*words, expect=0):
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])
    assert result.exit_code == expect, (result.exit_code, result.output, result.exception)
    return result


def refused(*words, status):
    """The one sentence on the error stream of a command that must fail with this status."""
    result = run(*words, expect=status)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    return result.stderr
