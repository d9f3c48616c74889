"""Drift correction of the preset: more units stay whole where tissue moves, and nothing changes where it does not."""

from __future__ import annotations

import logging

import pytest

import xephys
from tests.support.sortings import sort_kilosort4
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def moving():
    return simulate_recording(duration_s=30, n_channels=48, n_units=12, seed=21, drift="slow", drift_um=60)


@pytest.fixture(scope="module")
def plain(moving):
    """The sorting without drift correction."""
    recording, truth = moving
    return xephys.compare(sort_kilosort4(recording), truth)


@pytest.mark.parametrize("nblocks", [1, 3])
def test_more_units_are_whole(moving, plain, nblocks):
    recording, truth = moving
    sorting = sort_kilosort4(recording, nblocks=nblocks)
    corrected = xephys.compare(sorting, truth)
    assert corrected.summary["accuracy"] > plain.summary["accuracy"] + 0.2
    assert corrected.summary["num_well_detected"] >= plain.summary["num_well_detected"] + 5
    motion = sorting["motion"]["displacement_um"]
    assert motion.max() - motion.min() == pytest.approx(60, rel=0.5)


@pytest.mark.parametrize(
    ("n_channels", "reason"), [(32, "the tissue is still"), (4, "sorted without drift correction")]
)
def test_nothing_changes_where_nothing_moves(n_channels, reason, caplog):
    recording, _ = simulate_recording(duration_s=12, n_channels=n_channels, n_units=n_channels // 4, seed=3)
    with caplog.at_level(logging.INFO):
        sorting = sort_kilosort4(recording, nblocks=1)
    assert reason in caplog.text
    assert "motion" not in sorting.children
    expected = sort_kilosort4(recording)
    for node in ("spikes", "units", "templates"):
        assert sorting[node].dataset.identical(expected[node].dataset)
