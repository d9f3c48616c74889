"""A wrong value of any option of any command is answered with the name of that option."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from xephys.cli.app import COMMANDS, app
from xephys.cli.reading import OPTIONS
from xephys.cli.spoken import in_options

from ..support.command_line import refused, run

RECORDING, SORTED = "RECORDING", "SORTED"
#: How each command is called otherwise; OUT is a new place.
CALLED = {
    "sort": ["RECORDING", "--out", "OUT"],
    "parameters": [],
    "info": ["RECORDING"],
    "preprocess": ["RECORDING", "STEPS", "--out", "OUT"],
    "simulate": ["--out", "OUT"],
    "compare": ["SORTED", "SORTED", "SORTED"],
    "metrics": ["SORTED", "RECORDING"],
    "curate": ["SORTED", "--out", "OUT", "--rule", "snr > 3"],
    "export": ["SORTED", "--out", "OUT", "--to", "npz"],
    "report": ["SORTED", "--out", "OUT"],
    "run-sorter": ["xephys_default", "RECORDING", "--out", "OUT"],
    "batch": ["RECORDING", "--out", "OUT"],
    "sorters": [],
    "track": ["SORTED", "SORTED", "--out", "OUT"],
    "track-add": ["TRACKS", "SORTED", "--out", "OUT"],
    "track-curate": ["TRACKS", "--out", "OUT"],
    "track-export": ["TRACKS", "--out", "OUT"],
    "rt-learn": ["RECORDING", "--out", "OUT"],
    "rt-run": ["SEQUENCES", "RECORDING", "--out", "OUT"],
}
#: Wrong values of the options that say how to read a recording, in every command that has them.
READING = {
    "--probe": ["NOTHING"],
    "--stream-id": ["7"],
    "--segment": ["9", "-1"],
    "--n-channels": ["0", "-3"],
    "--sampling-frequency": ["0", "-5", "nan"],
    "--dtype": ["int17"],
    "--gain-to-uv": ["0", "nan"],
    "--reader": ["ignore"],
}
RAW = {"--n-channels": "16", "--sampling-frequency": "30000"}
#: Wrong values of the other options.
WRONG = {
    ("sort", "--preset"): ["defualt"],
    ("sort", "--learned"): ["NOTHING"],
    ("sort", "--learn-s"): ["-1", "0", "nan"],
    ("sort", "--preprocess"): ["NOTHING"],
    ("sort", "--device"): ["gpu"],
    ("sort", "--scheduler"): ["thread"],
    ("sort", "--cache"): ["disc"],
    ("sort", "--chunk-duration-s"): ["0", "-1", "nan"],
    ("simulate", "--preset"): ["medium"],
    ("simulate", "--duration-s"): ["-1", "nan"],
    ("simulate", "--n-channels"): ["0"],
    ("simulate", "--n-units"): ["-1"],
    ("simulate", "--seed"): ["-1"],
    ("simulate", "--format"): ["nwb"],
    ("preprocess", "--format"): ["nwb"],
    ("preprocess", "--save-dtype"): ["int17"],
    ("compare", "--delta-ms"): ["-1", "nan"],
    ("compare", "--count-min"): ["0", "9"],
    ("compare", "--figure"): ["a.jpg"],
    ("metrics", "--metric"): ["sn"],
    ("metrics", "--freq-min-hz"): ["-1", "20000", "nan"],
    ("curate", "--curation"): ["NOTHING"],
    ("curate", "--merge"): ["sly"],
    ("curate", "--rule"): ["snr >"],
    ("curate", "--recording"): ["NOTHING"],
    ("curate", "--freq-min-hz"): ["-1"],
    ("export", "--to"): ["pfy"],
    ("export", "--recording"): ["NOTHING"],
    ("export", "--freq-min-hz"): ["-1"],
    ("report", "--recording"): ["NOTHING"],
    ("report", "--freq-min-hz"): ["-1"],
    ("run-sorter", "--by"): ["shnak"],
    ("run-sorter", "--mode"): ["rais"],
    ("batch", "--sorter"): ["defualt"],
    ("batch", "--streams"): ["a"],
    ("batch", "--scheduler"): ["thread"],
    ("track", "--name"): ["one"],
    ("track", "--preset"): ["defualt"],
    ("track", "--motion-model"): ["rigit"],
    ("track", "--strictness"): ["liberl"],
    ("track", "--probability-min"): ["2", "nan"],
    ("track-add", "--name"): ["sorted-0"],
    ("track-curate", "--merge"): ["1", "0,99"],
    ("track-curate", "--split"): ["1", "99:0"],
    ("track-curate", "--reject"): ["99"],
    ("track-curate", "--undo"): ["3", "-1"],
    ("track-export", "--session"): ["NOTHING"],
    ("rt-run", "--block-ms"): ["-1", "0", "nan"],
}
#: Options that take anything, or are tested where what they name is: places, texts, settings with names of their own.
FREE = ("--out", "--reason", "--set", "--help")


def cases():
    known = typer.main.get_command(app)
    for name, command in known.commands.items():
        for option in command.params:
            flag = option.opts[0]
            if option.param_type_name == "argument" or option.is_flag or flag in FREE:
                continue
            for value in WRONG.get((name, flag)) or READING.get(flag) or ["no wrong value is listed"]:
                yield name, flag, value


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    path = tmp_path_factory.mktemp("spoken") / "steps.toml"
    path.write_text('steps = ["bandpass_filter"]\n')
    return path


@pytest.fixture(scope="module")
def tracks(sorted_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoken") / "tracks"
    run("track", sorted_folder, sorted_folder, "--out", folder)
    return folder


@pytest.fixture(scope="module")
def sequences(simulated, tmp_path_factory):
    path = tmp_path_factory.mktemp("spoken") / "mine.npz"
    run("rt-learn", simulated / "recording", "--out", path, "--set", "min_seq_spikes_n=12")
    return path


#: Where the words of a command stand for something that is made first.
PLACES = {
    "RECORDING": lambda request: request.getfixturevalue("simulated") / "recording",
    "RAW": lambda request: next((request.getfixturevalue("simulated") / "recording").glob("*.raw")),
    "SORTED": lambda request: request.getfixturevalue("sorted_folder"),
    "TRACKS": lambda request: request.getfixturevalue("tracks"),
    "SEQUENCES": lambda request: request.getfixturevalue("sequences"),
    "STEPS": lambda request: request.getfixturevalue("steps"),
    "NOTHING": lambda request: request.getfixturevalue("tmp_path") / "nothing",
    "OUT": lambda request: request.getfixturevalue("tmp_path") / "out",
}


@pytest.mark.parametrize(("command", "option", "value"), list(cases()))
def test_the_answer_names_the_option(command, option, value, request, tmp_path):
    words = list(CALLED[command])
    if (option in READING or option == "--freq-min-hz") and "RECORDING" not in words and command != "simulate":
        words += ["--recording", "RECORDING"]
    if option in ("--n-channels", "--sampling-frequency", "--dtype", "--gain-to-uv") and command != "simulate":
        words = ["RAW" if word == "RECORDING" else word for word in words]
        words += [word for flag, text in RAW.items() if flag != option for word in (flag, text)]
    words += [option, value]
    words = [str(PLACES[word](request)) if word in PLACES else word for word in words]
    result = refused_any(command, *words)
    assert option in result or (value == "NOTHING" and words[-1] in result), result
    assert not (tmp_path / "out").exists()


def refused_any(*words):
    """The sentence of a command that must be refused for an option, a recording or a place."""
    for status in (2, 3):
        try:
            return refused(*words, status=status)
        except AssertionError as error:
            first = error
    raise first


LearnS = Annotated[float, typer.Option("--learn-s")]
PresetName = Annotated[str, typer.Option("--preset")]
Gain = Annotated[float | None, typer.Option("--gain-to-uv")]


def command(learn_s: LearnS = 1.0, preset: PresetName = "default", gain_to_uv: Gain = None) -> None:
    """What is said of these options."""


def test_parameters_are_named_as_options_where_they_are_meant():
    given = {"learn_s": -1.0, "preset": "x", "gain_to_uv": 2.0}
    said = in_options("preset is 'x', and learn_s 5: a preset with learn_s", command, given)
    assert said == "--preset is 'x', and --learn-s 5: a preset with --learn-s"
    text = "the channels have no gain; give gain_to_uv=1 or assign the coordinate gain_to_uv"
    assert in_options(text, command, given) == text
    assert in_options("learn_s is 5", command, {**given, "learn_s": 1.0}) == "learn_s is 5"


def test_a_remedy_is_a_flag(simulated, tmp_path):
    (tmp_path / "out").mkdir()
    said = refused("rt-learn", simulated / "recording", "--out", tmp_path / "out", status=4)
    assert "--overwrite" in said
    steps = tmp_path / "steps.toml"
    steps.write_text('steps = ["bandpass_filter"]')
    said = refused("preprocess", simulated / "recording", steps, "--out", tmp_path / "out", status=4)
    assert "--overwrite" in said
    assert "overwrite=True" not in said


def test_every_command_is_called():
    assert {command.__name__.replace("_", "-") for command in COMMANDS} == set(CALLED)
    assert {f"--{name.replace('_', '-')}" for name in OPTIONS} - {"--trust"} == set(READING)
