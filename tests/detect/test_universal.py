"""Detection by universal templates on a recording, and the clusters of what it finds."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.graph.build import count_tasks
from xephys.schema import make_recording
from xephys.testing import forbid_compute

from ..support.spiking import case, separate, share_found


@cache
def templates():
    return xephys.universal_templates(case().white, shapes=xephys.learn_shapes(case().white))


@cache
def events():
    return xephys.detect_universal(case().white, templates=templates()).compute()


def test_spikes_that_stand_alone_are_found_once():
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


def test_building_computes_nothing_and_one_task_a_chunk():
    table = templates()
    components = xephys.standard_shapes(sampling_frequency=30_000.0)["component"].assign_attrs(nbefore=20)
    with forbid_compute():
        lazy = xephys.detect_universal(case().white, templates=table)
        lazy = xephys.project_peaks(case().white, lazy, components=components)
    assert count_tasks(lazy.data) == case().white.data.numblocks[0]


def test_refusals():
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


def test_shanks_far_apart_need_no_more_places():
    """Four shanks of one probe, the contacts of the last one 5.8 mm above those of the others."""
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


@cache
def projected():
    shapes = xephys.learn_shapes(case().white)
    components = shapes["component"].assign_attrs(nbefore=20)
    table = xephys.detect_universal(case().white, templates=templates())
    return components, xephys.project_peaks(case().white, table, components=components, n_nearest=16).compute()


def purity(labels, records):
    """Share of the labelled peaks that belong to the unit most peaks of their cluster belong to."""
    truth = case().truth.spikes
    nearest = np.abs(truth["sample_index"][:, None] - records["sample_index"]).argmin(axis=0)
    units, right = truth["unit_index"][nearest], 0
    for label in range(labels.max() + 1):
        right += np.bincount(units[labels == label]).max(initial=0)
    return right / max((labels >= 0).sum(), 1)


@pytest.mark.parametrize("margin_um", [0.0, 30.0])
def test_clusters_are_units(margin_um):
    components, records = projected()
    found = xephys.cluster_by_modularity(
        case().white, records, components=components, margin_um=margin_um, use_times=margin_um == 0
    )
    assert purity(found.labels, records) > 0.97
    assert 5 <= found.n_clusters <= 15
    assert (found.labels >= 0).mean() > (0.9999 if margin_um == 0 else 0.85)
    assert set(found.decisions["reason"]) <= {
        "hardly a link", "too few spikes to tell", "few spikes, few links", "refractory cross-correlogram",
        "two clouds",
        "one cloud",
    }  # fmt: skip


@pytest.mark.parametrize("n", [0, 1, 3, 50])
def test_hardly_any_peak(n):
    components, records = projected()
    found = xephys.cluster_by_modularity(case().white, records[:n], components=components, margin_um=0.0)
    assert len(found.labels) == n
    assert (found.labels >= 0).all()


def test_peaks_that_are_all_the_same():
    components, records = projected()
    same = np.repeat(records[:1], 120)
    found = xephys.cluster_by_modularity(case().white, same, components=components, margin_um=0.0)
    assert found.n_clusters == 1


def test_a_bounded_number_of_landmarks_and_peaks():
    components, records = projected()
    few = xephys.cluster_by_modularity(
        case().white, records, components=components, max_cluster_subset=60, n_peaks_per_section_max=100
    )
    assert purity(few.labels, records) > 0.95
    assert (few.labels >= 0).sum() < len(records)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cluster_neighbors": 0}, "cluster_neighbors is 0; it must be greater than 0"),
        ({"section_um": 0}, "section_um is 0"),
        ({"x_centers": 0}, "x_centers is 0"),
        ({"max_cluster_subset": -5}, "max_cluster_subset is -5"),
    ],
)
def test_wrong_parameters_of_the_clustering(parameters, message):
    components, records = projected()
    with pytest.raises(ParameterError, match=message):
        xephys.cluster_by_modularity(case().white, records, components=components, **parameters)


def test_projections_of_another_probe():
    components, records = projected()
    with pytest.raises(ParameterError, match="do not fit 24 channels and 3 components"):
        xephys.cluster_by_modularity(case().white, records, components=components.isel(component=slice(0, 3)))
