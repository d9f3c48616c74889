"""How a command speaks: exit status, warnings, progress."""

import warnings

import pytest
from typer.testing import CliRunner

from xephys.cli import console
from xephys.cli.app import app
from xephys.errors import OutputError, ParameterError, RecordingError, ResourceError, XephysWarning


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


def test_our_warnings_are_one_line_and_others_are_silent(capsys):
    @console.reported
    def command(debug=False):
        warnings.warn("3 constant channels", XephysWarning, stacklevel=1)
        warnings.warn("something of a library", UserWarning, stacklevel=1)

    command()
    assert capsys.readouterr().err == "warning: 3 constant channels\n"


def test_progress_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    from rich.console import Console

    with console.progress_bar() as progress:
        progress("detect", 1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "console", lambda **_: Console(stderr=True, force_terminal=True, width=80))
    with console.progress_bar() as progress:
        for done in range(3):
            progress("detect", done, 2)
        progress("match", 0, 5)
    text = capsys.readouterr().err
    assert "detect" in text
    assert "2/2" in text
    assert "match" in text


def test_debug_shows_the_traceback(tmp_path):
    result = CliRunner().invoke(app, ["info", str(tmp_path / "none"), "--debug"])
    assert isinstance(result.exception, FileNotFoundError)
