"""A small recording whose tissue moves by 30 µm, with its true motion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

import xephys
from xephys.motion.displacement import make_motion
from xephys.motion.registered import Tissue
from xephys.testing import simulate_recording

#: Units away from the ends of the probe.
INNER = (1, 2, 4)


@dataclass(frozen=True)
class Drifting:
    white: xr.DataArray
    truth: Any
    motion: xr.Dataset
    tissue: Tissue
    spikes: Any


@cache
def drifting() -> Drifting:
    recording, truth = simulate_recording(
        duration_s=24.0, n_channels=32, n_units=5, seed=3, drift="slow", drift_um=30.0, rate_median_hz=12.0
    )
    filtered = xephys.bandpass_filter(recording)
    white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered, n_nearest=16))
    times, depths = np.arange(24) + 0.5, np.array([0.0, 150.0, 300.0])
    moved = truth.motion.displacement(times[:, None], depths[None])
    motion = make_motion(moved, time_s=times, depth_um=depths)
    spikes = truth.spikes[["sample_index", "unit_index"]]
    return Drifting(white, truth, motion, Tissue.of(white, motion), spikes)
