"""Clusters by modularity of peaks found by universal templates."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import xephys
from tests.support.spiking import case
from tests.support.universal_peaks import templates
from xephys import ParameterError


@cache
def projected():
    shapes = xephys.learn_shapes(case().white)
    components = shapes["component"].assign_attrs(nbefore=20)
    table = xephys.detect_universal(case().white, templates=templates())
    return components, xephys.project_peaks(case().white, table, components=components, n_nearest=16).compute()


def purity(labels, records):
    """Share of the labelled peaks that belong to the most frequent unit of their cluster."""
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
def test_few_or_no_peaks_give_a_valid_result(n):
    components, records = projected()
    found = xephys.cluster_by_modularity(case().white, records[:n], components=components, margin_um=0.0)
    assert len(found.labels) == n
    assert (found.labels >= 0).all()


def test_identical_peaks_are_one_cluster():
    components, records = projected()
    same = np.repeat(records[:1], 120)
    found = xephys.cluster_by_modularity(case().white, same, components=components, margin_um=0.0)
    assert found.n_clusters == 1


def test_landmarks_and_peaks_are_bounded_in_number():
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
def test_wrong_parameters_are_refused(parameters, message):
    components, records = projected()
    with pytest.raises(ParameterError, match=message):
        xephys.cluster_by_modularity(case().white, records, components=components, **parameters)


def test_projections_of_another_probe_are_refused():
    components, records = projected()
    with pytest.raises(ParameterError, match="do not fit 24 channels and 3 components"):
        xephys.cluster_by_modularity(case().white, records, components=components.isel(component=slice(0, 3)))
