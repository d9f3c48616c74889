"""Marks of writers are unique, and abandoned once their process has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xephys.graph.writers import is_abandoned, machine_token, writer_mark


def test_marks_are_unique_and_of_a_live_process():
    marks = {writer_mark() for _ in range(100)}
    assert len(marks) == 100
    assert not any(map(is_abandoned, marks))


def test_the_mark_of_a_process_that_has_ended_is_abandoned():
    code = "from xephys.graph.writers import writer_mark; print(writer_mark(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    mark = process.stdout.readline().strip()
    assert not is_abandoned(mark)
    process.communicate("\n")
    assert is_abandoned(mark)
    assert not is_abandoned(mark.replace(machine_token(), "0" * 8))


@pytest.mark.parametrize("text", ["", "chunk", f"{machine_token()}-12", f"{machine_token()}-x-0123abcd"])
def test_other_names_are_not_marks(text):
    assert not is_abandoned(text)
