"""Options of reading: the same for every command that opens a recording, and passed on as one value."""

from __future__ import annotations

from inspect import Parameter, signature

import pytest

from xephys.cli.app import COMMANDS
from xephys.cli.reading import OPTIONS, Reading, with_reading
from xephys.errors import ParameterError


def test_info_and_sort_have_the_same_options() -> None:
    of = {command.__name__: signature(command).parameters for command in COMMANDS}
    for name in OPTIONS:
        shown, sorted_by = of["info"][name], of["sort"][name]
        assert (shown.annotation, shown.default) == (sorted_by.annotation, sorted_by.default)
        assert shown.default is not Parameter.empty


def test_given_options_arrive_as_one_value() -> None:
    got = {}

    @with_reading
    def command(path: str, reading: Reading, debug: bool = False) -> None:
        got.update(reading, path=path, debug=debug)

    assert list(signature(command).parameters) == ["path", *OPTIONS, "debug"]
    given = {**dict.fromkeys(OPTIONS), "n_channels": 4, "reader": ["ignore=True"]}
    command(path="here", debug=True, **given)
    assert got["n_channels"] == 4 and got["ignore"] is True and got["path"] == "here"
    assert "reader" not in got
    with pytest.raises(ParameterError, match="give it as --n-channels"):
        command(path="here", **{**given, "reader": ["n_channels=4"]})
