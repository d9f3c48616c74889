"""A simulation with every fault that a recording can have."""

from __future__ import annotations

from xephys.simulation.config import make_config

HARD = make_config(
    "hard", n_channels=12, n_units=6, duration_s=2.3, drift="nonrigid+steps+breathing", seed=3,
    stimulation_period_s=1.5, movement_rate_hz=1.0, n_dead_channels=1, n_noisy_channels=1,
)  # fmt: skip
