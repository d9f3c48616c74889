"""Spikes are selected by score, or by score and shape where shapes are judged; the log says of which units."""

import numpy as np
import pytest
import xarray as xr

from tests.match import test_others
from tests.match.test_others import stored
from tests.match.test_shapes import THRESHOLDS, matched
from xephys.match.selected import SelectedRecords
from xephys.sorter.steps.select import own_matches, spikes_among

LIMITS = {"match_threshold": 4.0, "n_spikes_min": 20}


@pytest.fixture(scope="module")
def matches(tmp_path_factory):
    spikes, is_spike = matched(600, 600)
    return spikes, is_spike, stored(spikes, tmp_path_factory.mktemp("select") / "all", n_chunks=3)


@pytest.fixture(scope="module")
def templates():
    return xr.Dataset({"relative_threshold": ("unit", THRESHOLDS / LIMITS["match_threshold"])})


def test_without_shapes_spikes_are_those_above_their_threshold(matches, templates):
    spikes, _, every = matches
    found, log = spikes_among(every, templates, np.ones(len(spikes), bool), judges=False, **LIMITS)
    assert log == []
    assert np.array_equal(found.load(("sample_index",))["sample_index"], spikes["sample_index"][spikes["gain"] >= 25])


def test_shapes_decide_where_they_tell_more_and_the_log_says_so(matches, templates):
    spikes, is_spike, every = matches
    found, log = spikes_among(every, templates, np.ones(len(spikes), bool), judges=True, **LIMITS)
    assert [(record["step"], record["action"], record["unit"]) for record in log] == [("match", "judge", 2)]
    assert log[0]["accuracy"] > log[0]["accuracy_above"]
    chosen = np.isin(spikes["sample_index"], found.load()["sample_index"])
    own = spikes["unit_index"] == 2
    assert np.mean(chosen[own] == is_spike[own]) > 0.95
    assert np.array_equal(chosen[~own], spikes["gain"][~own] >= 25)


def test_beside_silence_no_shape_is_judged(matches, templates):
    spikes, _, every = matches
    live = np.random.default_rng(0).random(len(spikes)) < 0.5
    found, log = spikes_among(every, templates, live, judges=True, **LIMITS)
    chosen = np.isin(spikes["sample_index"], found.load()["sample_index"])
    assert np.array_equal(chosen[~live], spikes["gain"][~live] >= 25)
    alone, its_log = spikes_among(
        SelectedRecords(every, np.flatnonzero(live)), templates, np.ones(live.sum(), bool), judges=True, **LIMITS
    )
    assert log == its_log and len(log) == 1
    assert np.array_equal(spikes["sample_index"][chosen & live], alone.load()["sample_index"])


def test_beside_silence_no_spike_is_left_out(tmp_path):
    spikes, _ = test_others.matched(400, 800)
    every, live = stored(spikes, tmp_path / "all", n_chunks=2), np.random.default_rng(1).random(len(spikes)) < 0.5
    whole, _ = own_matches(every, np.ones(len(spikes), bool), n_spikes_min=20)
    own, log = own_matches(every, live, n_spikes_min=20)
    assert 0 < whole.count < len(spikes) and len(log) == 1
    kept = np.isin(np.arange(len(spikes)), own.selected)
    assert kept[~live].all()
    alone, _ = own_matches(SelectedRecords(every, np.flatnonzero(live)), np.ones(live.sum(), bool), n_spikes_min=20)
    assert np.array_equal(np.flatnonzero(live)[alone.selected], np.flatnonzero(kept & live))
