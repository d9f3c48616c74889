"""Drift correction of the preset: more units stay whole where tissue moves, and nothing changes where it does not."""

from __future__ import annotations

import json
import logging

import pytest

import xephys
from tests.support.sortings import sort_kilosort4
from xephys.testing import simulate_recording


@pytest.mark.parametrize(("drift_um", "seed", "nblocks"), [(30, 23, 1), (60, 22, 3)])
def test_units_of_moving_tissue_are_whole(drift_um, seed, nblocks):
    recording, truth = simulate_recording(
        duration_s=30, n_channels=48, n_units=12, seed=seed, drift="slow", drift_um=drift_um
    )
    sorting = sort_kilosort4(recording, nblocks=nblocks)
    summary = xephys.compare(sorting, truth).summary
    assert summary["num_well_detected"] == 12
    assert summary["num_redundant"] <= 1
    motion = sorting["motion"]["displacement_um"]
    assert motion.max() - motion.min() == pytest.approx(drift_um, rel=0.5)
    # Interpolation between contacts is not exact, so that some neurons leave clusters that take turns.
    assert any("take turns" in row.get("reason", "") for row in json.loads(sorting.attrs["log"]))


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
