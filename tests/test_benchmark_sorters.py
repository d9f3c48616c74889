"""The comparison of sorters at a small size, without any peer: what it scores, and what it says of what did not run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def sorters(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("benchmark_sorters", FOLDER / "sorters.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def recorded(sorters, tmp_path):
    return sorters.made(tmp_path, "quick", 0)


def test_the_truth_scores_fully_and_half_of_it_half(sorters, recorded):
    truth = recorded.truth
    whole = sorters.scored(truth, truth)
    assert (whole["accuracy"], whole["well"], whole["false positive"]) == (1.0, 4, 0)
    half = sorters.scored(truth.select_units(truth.unit_ids[:2]), truth)
    assert (half["accuracy"], half["well"]) == (0.5, 2)
    assert sorters.scored(truth.select_units([]), truth)["accuracy"] == 0.0


def test_a_generated_set_is_what_its_setting_says(sorters, tmp_path):
    from spikeinterface import load

    recorded = sorters.generated(tmp_path / "dense3" / "recording", "dense", 3, duration_s=1.0)
    recording = load(recorded.path)
    assert (recording.get_num_channels(), len(recorded.truth.unit_ids)) == (128, 120)
    noise_uv = float(recording.get_traces(return_in_uV=True).std(axis=0).min())
    assert 4.9 < noise_uv < 7.0  # white noise of 5 µV and what spikes add


def test_a_sorter_over_its_limit_is_said_to_be(sorters, recorded):
    run = sorters.sorted_by("default", recorded, peers=sys.executable, limit_s=1)
    assert (run.state, run.process) == ("over 1 s", None)
    assert "| default | over 1 s |" in "".join(sorters.report([run]))


def test_a_peer_that_cannot_run_is_absent(sorters):
    assert not sorters.installed("no_such_sorter", sys.executable)


def test_an_unknown_set_is_refused(sorters, tmp_path):
    with pytest.raises(ValueError, match="no set 'drifting'"):
        sorters.made(tmp_path, "drifting", 0)
