"""Python files read as literals: usual notations are understood, and no code is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys.errors import RecordingError
from xephys.io.read.literals import read_literals
from xephys.io.read.probe import read_probe

PROBE = '''"""Two shanks."""
total_nb_channels = 8
radius = 100
pitch = 20.0
channel_groups = {
    0: {  # left
        'channels': list(range(4)),
        'graph': [[0, 1]],
        'geometry': {0: [0, 0], 1: (0, -pitch), 2: [1 + 2, 2 * pitch], 3: [0, 3 * pitch / 2]},
    },
    1: {"channels": range(4, 8), "geometry": {4: [250, 0], 5: [250, 20], 6: [250, 40], 7: [250, 60]}, "label": None},
}
'''


def test_usual_notations_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "params.py"
    file.write_text(
        "'''of phy'''\nimport_done = True\ndat_path = [r'C:\\data\\x.bin', \"y.bin\"]\nn_channels_dat = 385\n"
        "dtype = 'int16'\noffset = 0\nsample_rate = 30000.\nhp_filtered = False\nrate: float = -1.5e4\npass\n"
        "both = other = (1, {2}, dict(a=None))\nlast = list((sample_rate, +2))\nempty = list()\n"
    )
    assert read_literals(file) == {
        "import_done": True,
        "dat_path": [r"C:\data\x.bin", "y.bin"],
        "n_channels_dat": 385,
        "dtype": "int16",
        "offset": 0,
        "sample_rate": 30000.0,
        "hp_filtered": False,
        "rate": -15000.0,
        "both": (1, {2}, {"a": None}),
        "other": (1, {2}, {"a": None}),
        "last": [30000.0, 2],
        "empty": [],
    }


def test_a_probe_equals_the_one_that_probeinterface_makes(tmp_path: Path) -> None:
    from probeinterface import read_prb

    file = tmp_path / "probe.prb"
    file.write_text(PROBE)
    (ours, channels), theirs = read_probe(file, n_channels=8), read_prb(file)
    assert channels.tolist() == list(range(8))
    np.testing.assert_array_equal(ours.to_numpy(complete=True), theirs.to_numpy(complete=True))
    assert str(ours.to_dict(array_as_list=True)) == str(theirs.to_dict(array_as_list=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("radius = 1\n", "defines no channel_groups, so it is not a probe"),
        ("channel_groups = {0: {'channels': [0, 1], 'geometry': {0: [0, 0]}}}", "group 0 has no position .*geometry"),
        ("channel_groups = {'a': {'channels': [0], 'geometry': {0: 'here'}}}", "group 'a' has no position"),
    ],
)
def test_a_file_without_a_probe_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "probe.prb"
    file.write_text(text)
    with pytest.raises(RecordingError, match=message):
        read_probe(file, n_channels=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os", "line 1: an import is not read, because nothing in a file is run"),
        ("from os import path", "an import is not read"),
        ("a = 1\nb = __import__('os').system('touch ran')", r"line 2: the call of __import__\('os'\)\.system"),
        ("open('ran', 'w')", "line 1: .open.* is not read"),
        ("a = eval('1')", "the call of eval"),
        ("a = [i for i in range(3)]", "a comprehension is not read"),
        ("a = {i: i for i in [1]}", "a comprehension is not read"),
        ("a = (lambda: 1)()", r"the call of .*lambda"),
        ("a = ().__class__.__bases__", "an attribute is not read"),
        ("a = [1, 2][0]", "an index is not read"),
        ("a = [0]\na[0] = 1", "line 2: an assignment to anything but a name"),
        ("a, b = 1, 2", "an assignment to anything but a name"),
        ("def f(): pass", "a function is not read"),
        ("class A: pass", "a class is not read"),
        ("for i in [1]: pass", "a loop is not read"),
        ("while True: pass", "a loop is not read"),
        ("a = f'{1}'", "a formatted text is not read"),
        ("a = {**{}}", r"\*\* in a dict is not read"),
        ("a = b", "the name 'b' is not read"),
        ("a = 9**9**9", "this arithmetic is not read"),
        ("a = 10**9 * 'x'", "this arithmetic is not read"),
        ("a = 'x' * 1000000000", "arithmetic on anything but numbers"),
        ("a = [0] * 1000000000", "arithmetic on anything but numbers"),
        ("a = 1e308 * 1e308", "the number 1e"),
        ("a = range(1000000000)", "a range of 1000000000 numbers"),
        ("range = 3\na = range(3)", "line 2: the call of range"),
        ("a = list('abc')", "list with these arguments"),
        ("a = list(range(3), key=1)", "list with these arguments"),
        ("a = 1 / 0", "line 1: division by zero"),
        ("a = {[]: 1}", "line 1: .*unhashable"),
        ("a = (", "cannot be read in line 1"),
        ("a = " + "(" * 5000, "cannot be read"),
        ("a = " + "-" * 100_000 + "1", "cannot be read"),
        ("a\x00b", "cannot be read"),
    ],
)
def test_anything_else_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "probe.prb"
    file.write_text(text)
    with pytest.raises(RecordingError, match=message):
        read_literals(file)
