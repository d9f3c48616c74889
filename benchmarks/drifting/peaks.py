"""Located peaks with a known displacement: from a generator independent of xephys, and from its simulator.

The generator draws units by depth, size and rate. Peaks are scattered, small ones more, and drawn to the rows of
contacts as by real localization; their size changes with the distance to a row. Noise that crosses the threshold is
added: it stays at the contacts, however the tissue moves. Seeds 0 to 9 are for tuning, 10 and up for reporting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROW_UM = 20.0
RATE = 1000.0
HEIGHT_UM = 1280.0
RECORD = np.dtype([("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f4"), ("y", "<f4")])
Displacement = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]


class Drifting(NamedTuple):
    """Peaks on a probe. ``displacement[shank](time_s, registered depth)`` is the truth."""

    peaks: NDArray[Any]
    positions: NDArray[np.float64]
    shanks: NDArray[np.int64]
    duration_s: float
    sampling_frequency: float
    displacement: list[Displacement]
    silent_s: tuple[float, float] | None = None


#: Length, number of units and size of the probe of each kind; the default is 300 s with 80 units.
KINDS: dict[str, dict[str, Any]] = {
    "slow": {},
    "fast": {},
    "step": {},
    "walk": {"duration_s": 3600.0},
    "two shanks": {"n_shanks": 2},
    "still": {},
    "still, 20 units": {"n_units": 20},
    "still, silent minute": {"silent_s": (120.0, 180.0)},
}


def generated(kind: str, seed: int, *, scale: float = 1.0) -> Drifting:
    """Peaks of the independent generator; ``scale`` shortens the recording."""
    given = {"duration_s": 300.0, "n_units": 80, "n_shanks": 1, "silent_s": None, **KINDS[kind]}
    duration_s = given["duration_s"] * scale
    silent = None if given["silent_s"] is None else tuple(scale * t for t in given["silent_s"])
    rows = np.arange(0.0, HEIGHT_UM + 1, ROW_UM)
    parts, courses = [], []
    for shank in range(given["n_shanks"]):
        rng = np.random.default_rng([seed, shank, *kind.encode()])
        course = displacement(kind, duration_s, rng)
        part = _peaks_of_shank(course, duration_s, given["n_units"], rng)
        part["channel_index"] += shank * len(rows)
        parts.append(part)
        courses.append(course)
    peaks = np.concatenate(parts)
    peaks = peaks[np.argsort(peaks["sample_index"], kind="stable")]
    if silent is not None:
        seconds = peaks["sample_index"] / RATE
        peaks = peaks[(seconds < silent[0]) | (seconds >= silent[1])]
    shanks = np.repeat(np.arange(given["n_shanks"]), len(rows))
    positions = np.stack([250.0 * shanks, np.tile(rows, given["n_shanks"])], axis=1)
    return Drifting(peaks, positions, shanks, duration_s, RATE, courses, silent)


def displacement(kind: str, duration_s: float, rng: np.random.Generator) -> Displacement:
    """A random displacement of the given kind."""
    phase, lean = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1)
    if kind in ("slow", "two shanks"):  # 30 µm to each side at the top, half of it at the tip
        turns = rng.uniform(0.7, 1.5)
        return lambda t, z: (
            30 * np.sin(2 * np.pi * turns * t / duration_s + phase + lean * z / HEIGHT_UM) * (0.5 + 0.5 * z / HEIGHT_UM)
        )
    if kind == "fast":
        period_s = rng.uniform(15, 25)
        return lambda t, z: 15 * np.sin(2 * np.pi * t / period_s + phase + 0.3 * lean * z / HEIGHT_UM)
    if kind == "step":
        at = duration_s * rng.uniform(0.3, 0.7)
        return lambda t, z: np.where(t >= at, 20.0, 0.0) * (1 - 0.2 * z / HEIGHT_UM)
    if kind == "walk":
        n = int(duration_s) + 2
        low, high = np.cumsum(rng.normal(0, 0.5, (2, n)), axis=1)
        high = 0.7 * low + 0.5 * high
        grid = np.arange(n)
        return lambda t, z: (
            np.interp(t, grid, low - low.mean()) * (1 - z / HEIGHT_UM)
            + np.interp(t, grid, high - high.mean()) * z / HEIGHT_UM
        )
    return lambda t, z: 0.0 * (t + z)


def _peaks_of_shank(course: Displacement, duration_s: float, n_units: int, rng: np.random.Generator) -> NDArray[Any]:
    home, size = rng.uniform(-20, HEIGHT_UM + 20, n_units), rng.lognormal(np.log(70), 0.5, n_units).clip(35, 400)
    counts = rng.poisson(rng.lognormal(np.log(4), 0.8, n_units) * duration_s)
    unit = np.repeat(np.arange(n_units), counts)
    time = rng.uniform(0, duration_s, len(unit))
    at = home[unit] + course(time, home[unit])
    to_row = 2 * np.pi * at / ROW_UM
    depth = at + 2 * np.sin(to_row) + rng.normal(0, 1, len(unit)) * (3 + 300 / size[unit])
    amplitude = size[unit] * (1 + 0.1 * np.cos(to_row + unit)) * rng.normal(1, 0.1, len(unit))
    n_noise = rng.poisson(50 * duration_s)
    time = np.concatenate([time, rng.uniform(0, duration_s, n_noise)])
    row = rng.integers(0, round(HEIGHT_UM / ROW_UM) + 1, n_noise)
    depth = np.concatenate([depth, ROW_UM * row + rng.normal(0, 6, n_noise)])
    amplitude = np.concatenate([amplitude, 30 + rng.exponential(6, n_noise)])
    order = np.argsort(time, kind="stable")
    records = np.zeros(len(time), RECORD)
    records["sample_index"] = (time[order] * RATE).astype(np.int64)
    records["y"], records["amplitude"] = depth[order], -np.abs(amplitude[order])
    records["channel_index"] = np.clip(np.round(records["y"] / ROW_UM), 0, round(HEIGHT_UM / ROW_UM))
    return records


def simulated(drift: str, seed: int, *, duration_s: float = 120.0, n_channels: int = 128) -> Drifting:
    """Peaks detected and located in a simulated recording of the hard kind with 30 µm of drift."""
    import xephys
    from xephys.testing import simulate_recording

    recording, truth = simulate_recording(
        preset="hard", duration_s=duration_s, n_channels=n_channels, n_units=n_channels // 2, seed=seed, drift=drift,
        drift_um=30.0,
    )  # fmt: skip
    clean = xephys.common_reference(xephys.bandpass_filter(recording))
    found = xephys.detect_peaks(clean, noise_levels=xephys.estimate_noise_levels(clean))
    located = xephys.localize_peaks(clean, found, method="grid_convolution").compute()
    peaks = np.zeros(len(located), RECORD)
    for name in RECORD.names or ():
        peaks[name] = located[name]
    positions = np.stack([recording.x.values, recording.y.values], axis=1)
    course = truth.motion.displacement
    return Drifting(peaks, positions, np.zeros(len(positions), np.int64), duration_s, 30_000.0, [course])
