"""Spike trains: refractory gamma renewals and bursts under a common modulation, with synchronous neighbors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.simulation.spikes import fatigue, keep_refractory
from xephys.simulation.config import SimulationConfig
from xephys.simulation.units import Population

EDGE_MS = 2.0  # minimum distance of scored spikes from the ends of the recording
GRID_S = 0.02


class SpikeTrains(NamedTuple):
    """All spikes of the truth in order of time.

    ``time`` float64 (in samples, of the extremum on the unit's peak channel at rest), ``unit`` int64, ``scale`` and
    ``stretch`` float32 (factors on amplitude and width).
    """

    time: NDArray[np.float64]
    unit: NDArray[np.int64]
    scale: NDArray[np.float32]
    stretch: NDArray[np.float32]


def draw_trains(config: SimulationConfig, population: Population) -> SpikeTrains:
    """Draw the trains of all units: a function of the configuration alone."""
    duration = config.duration_s
    grid = np.arange(0, duration + GRID_S, GRID_S)
    common = _common_modulation(config, grid)
    times = []
    silent = _silent(config)
    for u in range(config.n_units):
        # How a unit fires is the same in every session; its spikes are not.
        rng = np.random.default_rng([config.seed, 4, u])
        activity = np.exp(common * rng.uniform(0.3, 1.5))
        if population.partial[u]:
            activity = activity * _presence(grid, duration, rng)
        regularity = 0.0 if population.bursting[u] else rng.uniform(1.2, 3.5)
        if config.session:
            rng = np.random.default_rng([*config.session_seed, 4, u])
        rate = population.rate_hz[u] * activity
        t = _bursts(rate, grid, rng) if population.bursting[u] else _renewals(rate, grid, regularity, rng)
        times.append(_refractory(t, population.refractory_ms[u], duration))
    times = _with_partners_spikes(times, population, config)
    times = [t[:0] if silent[u] else t for u, t in enumerate(times)]
    units, scales, stretches = [], [], []
    for u, t in enumerate(times):
        rng = np.random.default_rng([*config.session_seed, 5, u])
        # Only bursting cells tire strongly; in the others the effect is a few percent.
        depth = 1.0 if population.bursting[u] else 0.12
        tired = fatigue(t, 0.45, 0.02) * depth
        noise = np.clip(1.0 + population.amplitude_cv[u] * rng.standard_normal(len(t)), 0.5, 1.6)
        scales.append((noise * (1.0 - config.burst_amplitude_loss * tired)).astype(np.float32))
        stretches.append((1.0 + config.burst_widening * tired).astype(np.float32))
        units.append(np.full(len(t), u, np.int64))
    if not times:
        return SpikeTrains(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))
    time = np.concatenate(times)
    order = np.argsort(time, kind="stable")
    return SpikeTrains(
        time[order] * config.sampling_frequency, np.concatenate(units)[order],
        np.concatenate(scales)[order], np.concatenate(stretches)[order],
    )  # fmt: skip


def _silent(config: SimulationConfig) -> NDArray[np.bool_]:
    """Which units do not fire in this session."""
    rng = np.random.default_rng([*config.session_seed, 12])
    return np.asarray(rng.permutation(config.n_units) < round(config.missing_fraction * config.n_units))


def _common_modulation(config: SimulationConfig, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the common rate: waves of 0.05 to 2 Hz with standard deviation ``rate_modulation``."""
    rng = np.random.default_rng([*config.session_seed, 6])
    frequency = np.exp(rng.uniform(np.log(0.05), np.log(2.0), 12))
    phase = rng.uniform(0, 2 * np.pi, 12)
    total = np.zeros(len(grid))
    for f, p in zip(frequency, phase, strict=True):
        total += np.sin(2 * np.pi * f * grid + p)
    return np.asarray(config.rate_modulation * total / np.sqrt(6.0))


def _presence(grid: NDArray[np.float64], duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """One window of 25 to 60 % of the recording, with soft ends, in which the unit is active."""
    length = rng.uniform(0.25, 0.6) * duration
    start = rng.choice([0.0, duration - length, rng.uniform(0, duration - length)])
    ramp = 0.03 * duration
    ends = np.clip((grid - start) / ramp, 0, 1) * np.clip((start + length - grid) / ramp, 0, 1)
    return np.asarray(ends, np.float64)


def _renewals(
    rate: NDArray[np.float64], grid: NDArray[np.float64], regularity: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gamma renewal process in rescaled time, which elapses in proportion to the rate."""
    elapsed = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(grid))])
    n = int(elapsed[-1] + 6 * np.sqrt(elapsed[-1] + 1) + 10)
    at = np.cumsum(rng.gamma(regularity, 1 / regularity, n)) - rng.uniform(0, 1)
    at = at[(at >= 0) & (at < elapsed[-1])]
    # Where the rate is zero, elapsed time stands still; a tiny slope keeps it invertible.
    return np.asarray(np.interp(at, elapsed + 1e-9 * np.arange(len(grid)), grid), np.float64)


def _bursts(rate: NDArray[np.float64], grid: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Single spikes, and bursts of two to six spikes a few milliseconds apart with growing intervals."""
    first = _renewals(rate / 2.2, grid, 1.0, rng)
    extra = np.where(rng.random(len(first)) < 0.6, np.minimum(rng.geometric(0.45, len(first)), 5), 0)
    parent = np.repeat(np.arange(len(first)), extra)
    interval = rng.lognormal(np.log(0.004), 0.25, len(parent))
    rank = np.arange(len(parent)) - np.repeat(np.cumsum(extra) - extra, extra)
    interval *= 1.0 + 0.25 * rank
    total = np.cumsum(interval)
    before = np.repeat((total - interval)[np.cumsum(extra)[extra > 0] - extra[extra > 0]], extra[extra > 0])
    return np.sort(np.concatenate([first, first[parent] + total - before]))


def _refractory(t: NDArray[np.float64], refractory_ms: float, duration: float) -> NDArray[np.float64]:
    t = t[(t > EDGE_MS / 1000) & (t < duration - EDGE_MS / 1000)]
    return t[keep_refractory(t, refractory_ms / 1000)]


def _with_partners_spikes(
    times: list[NDArray[np.float64]], population: Population, config: SimulationConfig
) -> list[NDArray[np.float64]]:
    """Give each unit that has a partner some of the partner's spikes, shifted by up to half a millisecond."""
    out = list(times)
    for u in np.flatnonzero(population.partner >= 0):
        rng = np.random.default_rng([*config.session_seed, 7, int(u)])
        theirs = times[population.partner[u]]
        shared = theirs[rng.random(len(theirs)) < rng.uniform(*config.synchronous_share)]
        shared = shared + rng.normal(0.0002, 0.00025, len(shared))
        merged = np.sort(np.concatenate([times[u], shared]))
        out[u] = _refractory(merged, population.refractory_ms[u], config.duration_s)
    return out
