"""A local field potential that moves: sources of fixed depth and width whose strengths change independently."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 250.0
ROW_UM = 20.0
N_ROWS = 96
NOISE = 0.02


class MovingField(NamedTuple):
    """``traces (time, row)``, and the displacement of every sample in µm."""

    traces: NDArray[np.float32]
    displacement: NDArray[np.float64]


def moving_field(n_sources: int, seed: int, *, duration_s: float = 20.0) -> MovingField:
    """The tissue moves by 30 µm at 1.1 Hz and by 60 µm at 0.25 Hz, and wanders."""
    rng = np.random.default_rng([seed, n_sources])
    n, depths = round(duration_s * RATE), ROW_UM * np.arange(N_ROWS)
    t = np.arange(n) / RATE
    moved = 30 * np.sin(2 * np.pi * 1.1 * t + rng.uniform(0, 6)) + 60 * np.sin(2 * np.pi * 0.25 * t + rng.uniform(0, 6))
    moved += np.interp(t, t[::125], np.cumsum(rng.normal(0, 1, n))[::125])
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    spectrum = np.where((frequency > 0.5) & (frequency < 100), 1 / np.maximum(frequency, 0.5), 0.0)
    total = np.zeros((n, N_ROWS))
    for _ in range(n_sources):
        at, reach = rng.uniform(-300, depths[-1] + 300), rng.uniform(60, 200)
        strength = np.fft.irfft(np.fft.rfft(rng.normal(size=n)) * spectrum, n)
        strength *= rng.lognormal(0, 0.6) * rng.choice([-1, 1]) / strength.std()
        apart = (depths - (at + moved)[:, None]) / reach
        total += strength[:, None] * (1 - apart**2) * np.exp(-0.5 * apart**2)
    noise: Any = rng.normal(size=total.shape)
    return MovingField((total + NOISE * total.std() * noise).astype(np.float32), moved)
