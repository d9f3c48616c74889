"""Detection by universal templates on a recording, and the clusters of the detected events."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import xephys
from tests.support.spiking import case, separate, share_found
from tests.support.universal_peaks import templates
from xephys import ParameterError, RecordingError
from xephys.graph.build import count_tasks
from xephys.schema import make_recording
from xephys.testing import forbid_compute


@cache
def events():
    return xephys.detect_universal(case().white, templates=templates()).compute()


def test_isolated_spikes_are_found_once():
    true = case().truth.spikes["sample_index"]
    alone = true[separate(true, window=60)]
    assert len(alone) > 50
    assert share_found(events()["sample_index"], alone) > 0.98
    near = np.abs(events()["sample_index"][:, None] - alone).min(axis=0) <= 20
    twice = (np.abs(events()["sample_index"][:, None] - alone[near]) <= 20).sum(axis=0)
    assert (twice == 1).mean() > 0.98


def test_nothing_else_is_found():
    true = case().truth.spikes["sample_index"]
    assert share_found(true, events()["sample_index"], window=30) > 0.99


def test_positions_are_those_of_the_units():
    truth = case().truth
    order = np.searchsorted(truth.spikes["sample_index"], events()["sample_index"] - 6)
    order = np.minimum(order, len(truth.spikes) - 1)
    close = np.abs(truth.spikes["sample_index"][order] - events()["sample_index"]) <= 6
    units = truth.spikes["unit_index"][order]
    distance = np.abs(truth.unit_positions[units[close], 1] - events()["y"][close])
    assert np.median(distance) < 20


def test_building_computes_nothing_and_makes_one_task_per_chunk():
    table = templates()
    components = xephys.standard_shapes(sampling_frequency=30_000.0)["component"].assign_attrs(nbefore=20)
    with forbid_compute():
        lazy = xephys.detect_universal(case().white, templates=table)
        lazy = xephys.project_peaks(case().white, lazy, components=components)
    assert count_tasks(lazy.data) == case().white.data.numblocks[0]


def test_bad_input_is_refused():
    with pytest.raises(RecordingError, match="for 24 channels, the recording has 4"):
        xephys.detect_universal(case().white.isel(channel=slice(0, 4)), templates=templates())
    with pytest.raises(ParameterError, match="detect_threshold is 0"):
        xephys.detect_universal(case().white, templates=templates(), detect_threshold=0)
    shapes = xephys.standard_shapes(sampling_frequency=30_000.0)
    message = r"dmin 0.01 and dminx 32 make a grid of \d+ places, more than 20000, on a probe of .* \(shanks: 1\); give"
    with pytest.raises(ParameterError, match=message):
        xephys.universal_templates(case().white, shapes=shapes, dmin=0.01)
    with pytest.raises(ParameterError, match="dmin is -1; it must be greater than 0"):
        xephys.universal_templates(case().white, shapes=shapes, dmin=-1)
    bad = case().white.assign_coords(bad=("channel", np.ones(24, bool)))
    with pytest.raises(RecordingError, match="every channel is marked bad"):
        xephys.universal_templates(bad, shapes=shapes)


def test_shanks_far_apart_need_no_more_positions():
    """Four shanks of one probe; the contacts of the last are 5.8 mm above the others."""
    shank = np.repeat(np.arange(4), 96)
    row = np.tile(np.repeat(np.arange(48), 2), 4)
    coordinates = {
        "x": 250.0 * shank + 32.0 * np.tile([0, 1], 192),
        "y": 15.0 * row + np.where(shank == 3, 5760.0, 0.0),
        "shank": shank,
    }
    recording = make_recording(np.zeros((3000, 384), "f4"), sampling_frequency=30_000.0, coordinates=coordinates)
    made = xephys.universal_templates(recording, shapes=xephys.standard_shapes(sampling_frequency=30_000.0))
    assert 1000 < made.sizes["place"] < 2000
