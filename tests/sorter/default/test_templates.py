"""Templates of clusters: those of true spikes can be matched, those of chance or of few spikes cannot."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.default.prepare import prepare_default
from xephys.sorter.default.templates import cluster_means, matchable_templates
from xephys.sorter.steps.clusters import Clusters
from xephys.sorter.steps.passes import NoUnits, Run
from xephys.testing import simulate_recording

P = DefaultParameters()
SPIKE = np.dtype([("sample_index", "i8"), ("channel_index", "i8"), ("unit_index", "i8")])


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A prepared recording of two neurons, and their true spikes with those of a third cluster at random."""
    recording, truth = simulate_recording(duration_s=10, n_channels=8, n_units=2, seed=0, amplitude_range_uv=(120, 160))
    chance = np.random.default_rng(0).integers(100, recording.sizes["time"] - 100, 300)
    spikes = np.zeros(len(truth.spikes) + len(chance), SPIKE)
    spikes["sample_index"] = np.concatenate([truth.spikes["sample_index"], chance])
    spikes["unit_index"] = np.concatenate([truth.spikes["unit_index"], np.full(len(chance), 2)])
    spikes["channel_index"] = np.append(truth.peak_channels, 0)[spikes["unit_index"]]
    run = Run(tmp_path_factory.mktemp("run"))
    return run, prepare_default(recording, P, run), spikes[np.argsort(spikes["sample_index"])], truth.peak_channels


def clusters_of(spikes):
    return Clusters(spikes, np.bincount(spikes["unit_index"], minlength=3).astype(float), [])


def test_the_mean_of_a_cluster_is_largest_on_its_channel(case):
    run, prepared, spikes, largest = case
    means = cluster_means(prepared.filtered, clusters_of(spikes), P, run, None, n_nearest=8)
    sizes = np.abs(means["waveform"].values).max(axis=1)
    peaks = means["channel_index"].values[np.arange(2), sizes[:2].argmax(axis=1)]
    assert peaks.tolist() == largest.tolist()


def test_the_mean_of_spikes_by_chance_is_too_weak_to_be_matched(case):
    run, prepared, spikes, _ = case
    clusters = clusters_of(spikes)
    means = cluster_means(prepared.whitened, clusters, P, run, None, n_nearest=8)
    matchable, moving = matchable_templates(means, clusters, prepared, P, run)
    assert matchable.index.tolist() == [0, 1]
    assert [(row["unit"], row["reason"]) for row in matchable.log] == [(2, "too weak to match")]
    assert matchable.templates.attrs["noise_gain"] >= 1
    assert moving.sizes["unit"] == 2


def test_without_any_that_can_be_matched_the_sort_ends_with_its_log(case):
    run, prepared, spikes, _ = case
    few = clusters_of(spikes[spikes["unit_index"] == 2])
    means = cluster_means(prepared.whitened, few, P, run, None, n_nearest=8)
    with pytest.raises(NoUnits) as ended:
        matchable_templates(means, few, prepared, P, run)
    assert {row["unit"] for row in ended.value.log} == {0, 1, 2}
