"""Drift: displacement of the tissue along the probe as a function of time and depth, in closed form."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.simulation.config import SimulationConfig
from xephys.simulation.probe import make_layout

STEP_S = 0.05  # duration of a step of the tissue
BREATHS_HZ = 1.9


class Motion(NamedTuple):
    """Constants of one recording's motion; absent components have zero amplitude."""

    kinds: tuple[str, ...]
    size_um: float
    breathing_um: float
    duration_s: float
    depth_um: tuple[float, float]
    frequency_hz: NDArray[np.float64]
    phase: NDArray[np.float64]
    depth_phase: NDArray[np.float64]
    step_time_s: NDArray[np.float64]
    step_um: NDArray[np.float64]
    offset_um: float

    def displacement(self, time_s: NDArray[np.float64], y_um: NDArray[np.float64]) -> NDArray[np.float32]:
        """Displacement (µm, along y) at times and depths, broadcast against each other."""
        time_s, y_um = np.broadcast_arrays(time_s, y_um)
        total = np.full(time_s.shape, self.offset_um)
        low, high = self.depth_um
        depth = (y_um - low) / max(high - low, 1.0)
        wander = self.frequency_hz * 2 * np.pi
        weights = 1 / np.arange(1, len(wander) + 1)
        half = 0.5 * self.size_um / weights.sum() * 1.4
        if "slow" in self.kinds:
            total += self.size_um * (time_s / self.duration_s - 0.5)
        if "rigid" in self.kinds:
            for w, p, a in zip(wander, self.phase, weights, strict=True):
                total += half * a * np.sin(w * time_s + p)
        if "nonrigid" in self.kinds:
            for w, p, q, a in zip(wander, self.phase, self.depth_phase, weights, strict=True):
                total += half * a * np.sin(w * time_s + p + q * depth) * (0.4 + 0.6 * depth)
        if "breathing" in self.kinds:
            beat = 2 * np.pi * BREATHS_HZ * time_s + 1.5 * np.sin(2 * np.pi * 0.07 * time_s)
            total += 0.5 * self.breathing_um * np.sin(beat) * (1.0 - 0.5 * depth)
        if "steps" in self.kinds:
            for at, size in zip(self.step_time_s, self.step_um, strict=True):
                total += size * np.clip((time_s - at) / STEP_S, 0, 1)
        return total.astype(np.float32)


@lru_cache(maxsize=8)
def draw_motion(config: SimulationConfig) -> Motion:
    """Draw the motion of a configuration. Slow drift has periods of 20 to 150 s; steps come every 25 s on average."""
    layout = make_layout(config.probe, config.n_channels)
    rng = np.random.default_rng([*config.session_seed, 3])
    n_steps = max(1, round(config.duration_s / 25))
    n_waves = 4
    at = (np.arange(n_steps) + rng.uniform(0.2, 0.8, n_steps)) / n_steps * config.duration_s
    size = rng.uniform(0.3, 1.0, n_steps) * config.drift_um * rng.choice([-1.0, 1.0], n_steps)
    # The tissue is elastic: a step that would leave the range leads back instead.
    place = 0.0
    for i in range(n_steps):
        size[i] = -size[i] if abs(place + size[i]) > config.drift_um else size[i]
        place += size[i]
    return Motion(
        kinds=tuple(config.drift.split("+")),
        size_um=config.drift_um,
        breathing_um=config.breathing_um,
        duration_s=config.duration_s,
        depth_um=(float(layout.xy[:, 1].min()), float(layout.xy[:, 1].max())),
        frequency_hz=1 / np.exp(np.linspace(np.log(150), np.log(20), n_waves) + rng.normal(0, 0.1, n_waves)),
        phase=rng.uniform(0, 2 * np.pi, n_waves),
        depth_phase=rng.normal(0, 1.2, n_waves),
        step_time_s=at,
        step_um=size,
        offset_um=config.displacement_um,
    )
