"""Registered records: peaks of a moving neuron look like those of one at rest, whichever rows are loaded."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.graph.checkpoint import run_events
from xephys.motion.registered import RegisteredEvents
from xephys.recording.geometry import nearest_channels

from ..support.drifting import INNER, drifting


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    case = drifting()
    peaks = xephys.detect_peaks(case.white, noise_levels=xephys.estimate_noise_levels(case.white), detect_threshold=8)
    components = xephys.learn_components(case.white, peaks, n_components=4, ms_before=0.9, ms_after=1.3)
    peaks = xephys.localize_peaks(case.white, peaks)
    table = xephys.project_peaks(case.white, peaks, components=components, n_nearest=12)
    return run_events(table, tmp_path_factory.mktemp("peaks"))


@pytest.fixture(scope="module")
def registered(stored):
    return RegisteredEvents(stored, drifting().tissue)


def mean_features(records):
    """Features of the peaks on all channels, averaged where they were measured."""
    around = nearest_channels(drifting().tissue.positions_um, n_nearest=12)[records["channel_index"]]
    total, count = np.zeros((32, 4)), np.zeros((32, 1))
    np.add.at(total, around, records["projection"])
    np.add.at(count, around, 1.0)
    return np.where(count > 0.3 * len(records), total / np.maximum(count, 1), 0.0)


def test_features_of_a_moving_neuron_become_alike(stored, registered):
    """Between the first and last quarter a neuron moves by 22 µm; after registration its features hardly change."""
    case = drifting()
    seen, rest, true = stored.load(), registered.load(), case.spikes
    for unit in INNER:
        own = true["sample_index"][true["unit_index"] == unit]
        nearest = own[np.clip(np.searchsorted(own, seen["sample_index"]), 1, len(own) - 1)]
        hit = np.abs(nearest - seen["sample_index"]) < 8
        early, late = hit & (seen["sample_index"] < 6 * 30_000), hit & (seen["sample_index"] > 18 * 30_000)
        changes = [
            np.linalg.norm(mean_features(r[early]) - mean_features(r[late])) / np.linalg.norm(mean_features(r[early]))
            for r in (seen, rest)
        ]
        assert changes[0] > 0.3
        assert changes[1] < 0.7 * changes[0]


def test_chosen_rows_equal_those_of_all(registered):
    rows = np.arange(5, registered.count, 7)
    some, whole = registered.load(rows=rows), registered.load()[rows]
    for name in whole.dtype.names:
        np.testing.assert_array_equal(some[name], whole[name])


def test_only_requested_fields_are_loaded(registered, stored):
    assert registered.load(("sample_index",)).dtype.names == ("sample_index",)
    np.testing.assert_array_equal(registered.load(("sample_index",)), stored.load(("sample_index",)))


def test_the_identity_depends_on_the_motion(stored, registered):
    from xephys.motion.registered import Tissue

    case = drifting()
    other = case.motion.assign(displacement_um=case.motion["displacement_um"] + 1)
    assert RegisteredEvents(stored, case.tissue).token == registered.token
    assert RegisteredEvents(stored, Tissue.of(case.white, other)).token != registered.token
