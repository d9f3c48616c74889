"""Located peaks of units that drift, without a recording."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xephys.motion.displacement import displacement_at
from xephys.schema import make_recording

RATE = 1000.0
ROW_UM = 20.0


def silent_recording(duration_s, height_um=640.0, shanks=1):
    """A recording with geometry and duration but without samples."""
    rows = np.arange(0.0, height_um + 1, ROW_UM)
    return make_recording(
        np.broadcast_to(np.int16(0), (round(duration_s * RATE), len(rows) * shanks)),
        sampling_frequency=RATE,
        coordinates={
            "x": np.repeat(250.0 * np.arange(shanks), len(rows)),
            "y": np.tile(rows, shanks),
            "shank": np.repeat([f"s{i}" for i in range(shanks)], len(rows)),
        },
    )


def drifting_peaks(displacement, duration_s, *, height_um=640.0, n_units=40, rate_hz=5.0, shank=0, seed=0):
    """Records of units of random depth and amplitude; small ones are badly localized."""
    rng = np.random.default_rng(seed)
    home, size = rng.uniform(0, height_um, n_units), rng.lognormal(np.log(70), 0.5, n_units)
    counts = rng.poisson(rate_hz * rng.lognormal(0, 0.5, n_units) * duration_s)
    unit = np.repeat(np.arange(n_units), counts)
    time = rng.uniform(0, duration_s, len(unit))
    order = np.argsort(time, kind="stable")
    unit, time = unit[order], time[order]
    rows = round(height_um / ROW_UM) + 1
    records = np.zeros(
        len(unit), [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f4"), ("y", "<f8")]
    )
    records["sample_index"] = (time * RATE).astype(np.int64)
    records["amplitude"] = -size[unit] * rng.normal(1, 0.1, len(unit))
    records["y"] = home[unit] + displacement(time, home[unit]) + rng.normal(0, 1, len(unit)) * (3 + 300 / size[unit])
    nearest = np.clip(np.round(records["y"] / ROW_UM), 0, rows - 1).astype(np.int64)
    records["channel_index"] = shank * rows + nearest
    return records


def errors(motion: xr.Dataset, displacement, *, height_um=640.0, shank=None):
    """Absolute errors where the motion is known, less a constant at each depth, which cannot be known."""
    times, depths = motion.time.values, np.linspace(0, height_um, 7)
    time, depth = np.meshgrid(times, depths, indexing="ij")
    truth = displacement(time, depth)
    found = displacement_at(motion, time_s=time, depth_um=depth, shank=shank, registered=False)
    found = displacement_at(motion, time_s=time, depth_um=depth + truth, shank=shank) if truth.any() else found
    difference = found - truth
    return np.abs(difference - np.median(difference, axis=0))
