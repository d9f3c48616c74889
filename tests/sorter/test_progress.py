"""Progress: one bar for a whole sort, shown in notebooks by default and elsewhere on request."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import xephys
from xephys.errors import ParameterError
from xephys.sorter.presets import PRESETS, find_preset
from xephys.sorter.progress import Bar, notebook_line, shown_progress
from xephys.testing import simulate_recording


@pytest.fixture
def notebook(monkeypatch):
    """IPython as it is inside a kernel; returns what it was asked to display."""
    displays: list[list[str]] = []

    def display(html, *, display_id):
        own = [html]
        displays.append(own)
        return SimpleNamespace(update=own.append)

    ipython, of_display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    of_display.HTML, of_display.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", of_display)
    return displays


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)[0]


def test_a_sort_in_a_notebook_shows_one_bar(recording, notebook):
    xephys.sort(recording)
    (shown,) = notebook
    shares = [float(html.partition('value="')[2].partition('"')[0]) for html in shown[1:]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert "sorted in" in shown[-1]
    assert any("match" in html for html in shown)


def test_it_is_off_by_one_argument(recording, notebook, capfd):
    xephys.sort(recording, progress=False)
    assert not notebook
    assert capfd.readouterr() == ("", "")


def test_nothing_is_shown_outside_of_a_notebook(recording, capfd):
    assert notebook_line() is None
    xephys.sort(recording)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_one_line_if_asked(recording, capfd):
    xephys.sort(recording, progress=True)
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "sorted in" in shown


@pytest.mark.parametrize("preset", PRESETS)
def test_the_announced_passes_are_those_that_run(recording, preset):
    seen = []
    xephys.sort(recording, preset=preset, progress=lambda stage, done, total: seen.append(stage))
    assert len(set(seen)) == find_preset(preset).model().n_passes


def test_an_unannounced_pass_does_not_move_the_bar_back():
    shares = []
    bar = Bar(lambda share, text: shares.append(share), 1)
    for stage in ("detect", "match"):
        for done in (0, 1):
            bar(stage, done, 1)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_sort_that_fails_says_so(notebook):
    with pytest.raises(ZeroDivisionError), shown_progress(None, n_passes=1):
        1 / 0  # noqa: B018
    assert "stopped after" in notebook[0][-1]


def test_other_values_of_progress_are_refused():
    with (
        pytest.raises(ParameterError, match=r"progress is 'yes'; give True, False or a function"),
        shown_progress("yes", n_passes=1),
    ):
        pass
