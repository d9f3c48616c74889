"""Collisions are counted as SpikeInterface counts them."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface import NumpySorting
from spikeinterface.comparison import CollisionGTComparison

from xephys.comparison.collisions import compare_collisions
from xephys.errors import ParameterError

from .trains import numpy_sorting


def pair(seed: int, *, n_segments: int = 1) -> tuple[NumpySorting, NumpySorting]:
    """Units without bursts or common samples, and a sorter that misses the later of two near spikes."""
    rng = np.random.default_rng(seed)
    segments: tuple[list[dict[int | str, np.ndarray]], ...] = ([], [])
    for _ in range(n_segments):
        truth = [120 * np.sort(rng.choice(2000, 900, replace=False)) + rng.integers(0, 40) + k for k in range(5)]
        every = np.sort(np.concatenate(truth))
        near = np.diff(every, prepend=-1000) < 12
        found = [train[~near[np.searchsorted(every, train)] | (rng.random(len(train)) < 0.4)] for train in truth]
        segments[0].append(dict(enumerate(truth)))
        segments[1].append({7 + k: train for k, train in enumerate(found)})
    return numpy_sorting(segments[0]), numpy_sorting(segments[1])


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_spikeinterfaces(seed: int) -> None:
    truth, tested = pair(seed)
    ours = compare_collisions(truth, tested, exhaustive_gt=True)
    theirs = CollisionGTComparison(truth, tested, exhaustive_gt=True, progress_bar=False)
    np.testing.assert_array_equal(ours.bins, theirs.bins)
    np.testing.assert_array_equal(ours.counts["num_found"].values, theirs.all_tp)
    np.testing.assert_array_equal(ours.counts["num_missed"].values, theirs.all_fn)
    assert theirs.all_fn.sum() > 100
    similarity = np.random.default_rng(seed).random((5, 5))
    for good_only in (False, True):
        mine = ours.recall_by_similarity(similarity, good_only=good_only, min_accuracy=0.6)
        alike, recall, names = theirs.compute_collision_by_similarity(similarity, good_only=good_only, min_accuracy=0.6)
        order = np.lexsort((names, alike))
        own_names = [f"{a} {b}" for a, b in zip(mine["truth_unit"].values, mine["other_unit"].values, strict=True)]
        own = np.lexsort((own_names, mine["similarity"].values))
        np.testing.assert_array_equal(mine["similarity"].values[own], alike[order])
        np.testing.assert_array_equal(mine["recall"].values[own], recall[order])


def test_recall_is_lowest_near_zero_lag_and_pools_segments() -> None:
    one = compare_collisions(*pair(0, n_segments=2), n_bins=21).recall_by_lag()
    recall = one["recall"].values
    assert np.nanmin(recall) == np.nanmin(recall[8:13]) < 0.9 < np.nanmax(recall)
    total = compare_collisions(*pair(0, n_segments=2)).counts
    assert int(total["num_found"].sum()) == int(one["num_found"].sum()) > 0


def test_bad_input_is_refused() -> None:
    truth, tested = pair(0)
    with pytest.raises(ParameterError, match="n_bins is 0"):
        compare_collisions(truth, tested, n_bins=0)
    with pytest.raises(ParameterError, match="less than a sample"):
        compare_collisions(truth, tested, collision_lag_ms=1e-6)
    with pytest.raises(ParameterError, match=r"shape \(2, 2\) and the truth 5 units"):
        compare_collisions(truth, tested).recall_by_similarity(np.eye(2))
