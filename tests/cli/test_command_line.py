"""A command line that cannot be parsed is answered in one sentence with its remedy."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from xephys.cli.app import app


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["srot", "x"], "there is no command 'srot'; xephys --help lists the commands; did you mean 'sort'?"),
        (["xyz"], "there is no command 'xyz'; xephys --help lists the commands"),
        (["sort", "x"], "xephys sort needs --out DIR, folder of the results; xephys sort --help lists all that"),
        (["sort"], "xephys sort needs PATH, recordings (files or folders of any known format); several are"),
        (
            ["sort", "x", "--outt", "y"],
            "xephys sort has no option --outt; xephys sort --help lists its options",
        ),
        (["sort", "x", "--detect-treshold", "5"], "lists its options; did you mean --set detect_threshold=VALUE?"),
        (["sort", "x", "--freq_min_hz=300"], "lists its options; did you mean --set freq_min_hz=VALUE?"),
        (["sort", "x", "--devise", "cuda"], "lists its options; did you mean '--device'?"),
        (["info", "x", "--detect-threshold", "5"], "xephys info has no option --detect-threshold; xephys info --help"),
        (["sort", "x", "--out"], "--out stands without a value; xephys sort --help says what it takes"),
        (["info", "x", "--segment", "a"], "--segment has a value that it cannot have: input should be a valid integer"),
        (["info", "x", "y"], "got unexpected extra argument"),
        (["--verison"], "xephys has no option --verison; xephys --help lists its options"),
    ],
)
def test_wrong_lines_are_answered_in_one_sentence(arguments, sentence):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ") and sentence in line
    assert done.stdout == ""


def test_help_and_a_call_without_arguments_list_the_commands():
    for arguments, status in ((["--help"], 0), ([], 2)):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == status
        assert "sort" in done.output and "error" not in done.stderr
