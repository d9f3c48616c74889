"""Clusters of the residual of matching: a missed unit, spikes taken by another unit's template, and echoes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.stored import InMemory
from xephys.cluster.missed import cluster_missed, with_missed
from xephys.cluster.settle import no_clusters
from xephys.schema import make_recording

N_SAMPLES, N_CHANNELS, N_COMPONENTS = 600_000, 8, 3
#: Features of three neurons on four channels around channels 1, 5 and 5.
SHAPES = {0: (1, [20, 12, 4, 1]), 1: (5, [16, 9, 6, 2]), 2: (5, [14, 2, 11, 9])}


@pytest.fixture(scope="module")
def recording():
    traces = np.zeros((N_SAMPLES, N_CHANNELS), np.float32)
    places = {"x": np.zeros(N_CHANNELS), "y": 20.0 * np.arange(N_CHANNELS)}
    return make_recording(traces, sampling_frequency=30_000.0, units="noise", coordinates=places)


@pytest.fixture(scope="module")
def components():
    basis = np.zeros((N_COMPONENTS, 60), np.float32)
    basis[0] = -np.exp(-0.5 * ((np.arange(60) - 27) / 4) ** 2)
    basis[1], basis[2] = np.gradient(basis[0]), np.gradient(np.gradient(basis[0]))
    basis /= np.linalg.norm(basis, axis=1)[:, None]
    return xr.DataArray(basis, dims=("component", "sample"), attrs={"nbefore": 27})


def spikes(parts, seed=0):
    """Records of ``(unit, shape, samples)`` with noise of variance 1 in each feature."""
    rng = np.random.default_rng(seed)
    dtype = [("sample_index", "i8"), ("channel_index", "i8"), ("unit_index", "i8"),
             ("projection", "f4", (4, N_COMPONENTS))]  # fmt: skip
    made = []
    for unit, (channel, sizes), samples in parts:
        rows = np.zeros(len(samples), dtype)
        rows["sample_index"], rows["channel_index"], rows["unit_index"] = samples, channel, unit
        rows["projection"] = rng.standard_normal(rows["projection"].shape)
        rows["projection"][:, :, 0] += np.array(sizes)
        made.append(rows)
    joined = np.concatenate(made)
    return joined[np.argsort(joined["sample_index"], kind="stable")]


def drawn(n, seed):
    return np.sort(np.random.default_rng(seed).choice(N_SAMPLES // 100, n, replace=False)) * 100


def clustered(recording, components, records):
    return cluster_missed(recording, InMemory(records), components=components, feature_noise=1.0)


def test_a_missed_unit_becomes_a_cluster(recording, components):
    records = spikes([(0, SHAPES[0], drawn(400, 1)), (-1, SHAPES[1], drawn(60, 2) + 50)])
    found = clustered(recording, components, records)
    assert found.n_clusters == 1
    assert (found.labels[records["unit_index"] == 0] == -1).all()
    assert (found.labels[records["unit_index"] == -1] == 0).mean() > 0.9


def test_the_residual_of_a_templates_own_spikes_is_not_a_cluster(recording, components):
    samples = drawn(400, 1)
    left = (1, [9, 6, 3, 1])
    records = spikes([(0, SHAPES[0], samples), (-1, left, samples[::8] + 3)])
    found = clustered(recording, components, records)
    assert found.n_clusters == 0
    assert "what a unit's template leaves" in found.dropped["reason"].tolist()


def test_spikes_of_another_shape_are_taken_from_the_template_that_matched_them(recording, components):
    samples, taken = drawn(600, 1), drawn(40, 2) + 50
    left = (5, [8, 3, 7, 6])
    records = spikes([(1, SHAPES[1], samples), (1, SHAPES[2], taken), (-1, left, taken + 2)])
    found = clustered(recording, components, records)
    assert found.n_clusters == 1
    own = np.isin(records["sample_index"], taken) & (records["unit_index"] == 1)
    assert (found.labels[own] == 0).mean() > 0.9
    assert (found.labels[~own] == -1).all()


def test_too_few_peaks_are_not_a_cluster(recording, components):
    records = spikes([(0, SHAPES[0], drawn(50, 1)), (-1, SHAPES[1], drawn(9, 2) + 50)])
    assert clustered(recording, components, records).n_clusters == 0


def test_missed_units_are_numbered_after_the_known_ones():
    known, missed = no_clusters(4), no_clusters(4)
    known.labels[:2], missed.labels[2:] = [0, 1], [0, 0]
    assert with_missed(known, missed).labels.tolist() == [0, 1, 2, 2]


def test_a_cluster_whose_spikes_are_all_taken_leaves_no_gap():
    known, missed = no_clusters(4), no_clusters(4)
    known.labels[:] = [0, 1, 1, 2]
    missed.labels[1:3] = 0
    both = with_missed(known, missed)
    assert both.labels.tolist() == [0, 2, 2, 1] and both.labels.dtype == np.int32 and both.n_clusters == 3
