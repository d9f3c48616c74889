"""Drift moves the tissue and its spikes; by default there is none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.simulated import isolated
from xephys.simulation.config import make_config
from xephys.simulation.source import SimulationSource
from xephys.simulation.truth import Truth

ABSENT = ["n_far_units", "n_dead_channels", "n_noisy_channels", "stimulation_period_s", "movement_rate_hz"]
SILENT = {
    **dict.fromkeys([*ABSENT, "noise_uv", "field_uv", "slow_wave_uv", "mains_uv", "offset_uv"], 0),
    "gain_uv": 0.195,
}


@pytest.mark.parametrize("drift", ["slow", "rigid", "nonrigid", "steps", "breathing", "slow+breathing"])
def test_drift_moves_the_tissue(drift):
    config = make_config("easy", n_channels=64, n_units=4, duration_s=120.0, drift=drift, drift_um=30.0, seed=2)
    time, low, high = np.linspace(0, 120, 4000), 0.0, 620.0
    tip, top = (Truth(config).motion.displacement(time, np.array(y)) for y in (low, high))
    size = max(np.ptp(tip), np.ptp(top))
    assert (2.0 if drift == "breathing" else 9.0) < size < 65.0
    assert ("nonrigid" in drift or "breathing" in drift) == bool(np.abs(tip - top).max() > 0.5)


def test_drift_moves_the_spikes():
    same = dict(n_channels=64, n_units=4, duration_s=60.0, seed=2, amplitude_cv=(0, 0), **SILENT)
    truth = Truth(make_config("easy", drift="slow", drift_um=40.0, **same))
    source = SimulationSource(truth.config)
    y = truth.layout.xy[:, 1]
    for u in range(4):
        depth = []
        for s in (t for t in isolated(truth) if t["unit_index"] == u):
            around = source.read(max(0, s["sample_index"] - 30), s["sample_index"] + 30) * truth.config.gain_uv
            power = np.ptp(around, axis=0) ** 4
            depth.append((s["sample_index"] / 30_000, (power * y).sum() / power.sum()))
        t, d = np.array(depth).T
        assert np.polyfit(t, d, 1)[0] * 60 == pytest.approx(40.0, rel=0.35)


def test_no_drift_by_default():
    assert not Truth(make_config("hard")).motion.displacement(np.linspace(0, 10, 50), np.zeros(50)).any()
