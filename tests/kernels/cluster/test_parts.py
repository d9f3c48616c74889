"""Rows of clusters and labels of their parts are inverse to each other."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from xephys.kernels.cluster import parts
from xephys.kernels.cluster.parts import join_parts, rows_by_label, spread_rows


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(0).integers(-1, 6, 500).astype(np.int32)


def test_rows_of_every_cluster(labels):
    clusters, rows = rows_by_label(labels)
    assert clusters.tolist() == [0, 1, 2, 3, 4, 5]
    for cluster, of_one in zip(clusters, rows, strict=True):
        assert of_one.tolist() == [row for row, label in enumerate(labels) if label == cluster]


def test_rows_joined_are_the_labels(labels):
    _, rows = rows_by_label(labels)
    whole = [np.zeros(len(of_one), np.int32) for of_one in rows]
    np.testing.assert_array_equal(join_parts(rows, whole, n_spikes=len(labels)), labels)


def test_large_clusters_are_thinned_and_small_ones_left_out():
    labels = np.repeat([0, 1, 2], [100, 3, 10])
    clusters, rows = rows_by_label(labels, n_max=10, n_min=4)
    assert clusters.tolist() == [0, 2]
    assert [len(of_one) for of_one in rows] == [10, 10]
    assert rows[0].tolist() == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]


@pytest.mark.parametrize("n_max", [None, 1, 2, 40, 200])
def test_rows_do_not_depend_on_the_blocks_in_which_they_are_found(labels, n_max, monkeypatch):
    _, whole = rows_by_label(labels, n_max=n_max)
    monkeypatch.setattr(parts, "row_blocks", partial(parts.row_blocks, size=17))
    clusters, rows = rows_by_label(labels, n_max=n_max)
    assert clusters.tolist() == [0, 1, 2, 3, 4, 5]
    for cluster, of_one, same in zip(clusters, rows, whole, strict=True):
        every = np.flatnonzero(labels == cluster)
        assert of_one.tolist() == same.tolist() == spread_rows(every, n_max or len(every)).tolist()


@pytest.mark.parametrize("n_max", [1, 5, 6])
def test_spread_rows_keep_their_order(n_max):
    rows = np.arange(5) * 3
    kept = spread_rows(rows, n_max)
    assert len(kept) == min(n_max, 5)
    assert (np.diff(kept) > 0).all() and set(kept.tolist()) <= set(rows.tolist())


def test_no_rows_and_no_labels():
    clusters, rows = rows_by_label(np.zeros(0, np.int32))
    assert clusters.tolist() == [] and rows == []
    assert join_parts([], [], n_spikes=3).tolist() == [-1, -1, -1]
