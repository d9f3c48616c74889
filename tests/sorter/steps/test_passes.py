"""Results of a sort are stored in its folder, and every finished chunk is reported."""

from __future__ import annotations

import json

import pytest

import xephys
from tests.support.spiking import case
from xephys.sorter.presets import find_preset
from xephys.sorter.steps.passes import NoUnits, Run
from xephys.templates.average import template_plan


def peaks():
    return xephys.detect_peaks(case().white, noise_levels=case().white_levels)


def test_a_pass_is_made_once_and_reported(tmp_path):
    heard = []
    run = Run(tmp_path, lambda *report: heard.append(report))
    first = run.collect("detect", peaks())
    n_chunks = len(case().white.chunks[0])
    assert heard == [("detect", done, n_chunks) for done in range(n_chunks + 1)]
    again = Run(tmp_path).collect("detect", peaks())
    assert (first.n_computed, again.n_computed) == (n_chunks, 0)
    assert again.load().tobytes() == peaks().compute().tobytes()


def test_sums_are_kept(tmp_path, monkeypatch):
    window = {"ms_before": 0.9, "ms_after": 1.3, "n_nearest": 4, "n_spikes_max": 20, "seed": 0}
    plan = template_plan(case().white, case().spikes, peak_channels=case().truth.peak_channels, **window)
    first = Run(tmp_path).total(plan)
    monkeypatch.setattr("xephys.graph.checkpoint.tree_sum", None)
    again = Run(tmp_path).total(plan)
    assert {name: values.tobytes() for name, values in first.items()} == {
        name: values.tobytes() for name, values in again.items()
    }


def test_without_a_folder_estimates_are_computed_and_passes_are_refused():
    run = Run()
    assert run.once(sum, [1, 2]) == 3
    with pytest.raises(AssertionError, match="needs a folder"):
        run.collect("detect", peaks())


@pytest.mark.parametrize("log", [[], [{"step": "cluster", "action": "drop", "reason": "too weak to be a unit"}]])
def test_a_sort_that_ends_without_units_is_an_empty_sorting_with_the_log(monkeypatch, log):
    def end(*_):
        raise NoUnits(log)

    monkeypatch.setitem(vars(find_preset("default")), "sorter", end)
    sorting = xephys.sort(case().recording, preset="default")
    assert {node: sorting[node].sizes["unit"] for node in ("units", "templates")} == {"units": 0, "templates": 0}
    assert json.loads(sorting.attrs["log"]) == log


def test_a_recording_without_peaks_ends_without_units():
    sorting = xephys.sort(case().recording, detect_threshold=1000.0)
    assert (sorting["units"].sizes["unit"], json.loads(sorting.attrs["log"])) == (0, [])
