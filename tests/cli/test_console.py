"""What a command reports: exit status, warnings, progress."""

import warnings

import pytest
from rich.console import Console
from typer.testing import CliRunner

from xephys.cli import console
from xephys.cli.app import app
from xephys.errors import OutputError, ParameterError, RecordingError, ResourceError, XephysWarning
from xephys.sorter.progress import CLEAR_LINE, terminal_line


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ParameterError("a"), 2),
        (RecordingError("a"), 3),
        (FileNotFoundError("a"), 3),
        (OutputError("a"), 4),
        (PermissionError(13, "a"), 4),
        (ResourceError("a"), 5),
        (MemoryError(), 5),
        (OSError(28, "No space left on device"), 5),
        (KeyError("a"), 1),
    ],
)
def test_status_of_each_error(error, status):
    found, sentence = console.explain(error)
    assert found == status
    assert sentence
    assert "\n" not in sentence


def test_our_warnings_are_one_line_and_others_are_hidden(capsys):
    @console.reported
    def command(debug=False):
        warnings.warn("3 constant channels", XephysWarning, stacklevel=1)
        warnings.warn("something of a library", UserWarning, stacklevel=1)

    command()
    assert capsys.readouterr().err == "warning: 3 constant channels\n"


def test_a_warning_clears_the_progress_bar(monkeypatch, capsys):
    monkeypatch.setattr(console, "console", lambda **_: Console(stderr=True, force_terminal=True, width=80))

    @console.reported
    def command(debug=False):
        draw = terminal_line()
        draw(0.5, "match")
        warnings.warn("3 constant channels", XephysWarning, stacklevel=1)

    command()
    text = capsys.readouterr().err
    assert "constant channels" in text.rpartition(CLEAR_LINE)[2]


def test_debug_shows_the_traceback(tmp_path):
    result = CliRunner().invoke(app, ["info", str(tmp_path / "none"), "--debug"])
    assert isinstance(result.exception, FileNotFoundError)
