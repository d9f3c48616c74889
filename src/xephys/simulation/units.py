"""Draw the units: kind, position, footprint, amplitude, firing statistics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.simulation.spikes import UnitBank, rest_templates
from xephys.simulation.config import SimulationConfig
from xephys.simulation.probe import ProbeLayout
from xephys.simulation.waveforms import BEFORE_MS, OVERSAMPLING, fine_axis, make_waveform

#: Template window of the truth, ms before and after the trough.
TEMPLATE_BEFORE_MS, TEMPLATE_AFTER_MS = 1.0, 2.5
FAINT_UV = 0.2  # amplitude at which a footprint ends
FAR_SHAPES = 16


class Population(NamedTuple):
    """The units of the truth: their waveforms and how they fire; all arrays run along units."""

    bank: UnitBank
    kind: NDArray[np.str_]
    amplitude_uv: NDArray[np.float64]
    rate_hz: NDArray[np.float64]
    amplitude_cv: NDArray[np.float64]
    refractory_ms: NDArray[np.float64]
    bursting: NDArray[np.bool_]
    partial: NDArray[np.bool_]
    partner: NDArray[np.int64]  # unit whose spikes are followed in part, or -1


def _places(layout: ProbeLayout, n: int, margin_um: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Somata around the contacts: spread evenly along the depth of the shanks and tetrodes, at random across."""
    parts = np.stack([layout.shank, layout.group], axis=1)
    _, part = np.unique(parts, axis=0, return_inverse=True)
    boxes = [layout.xy[part.ravel() == p] for p in np.unique(part)]
    low = np.array([b.min(0) for b in boxes]) - margin_um
    high = np.array([b.max(0) for b in boxes]) + margin_um
    edges = np.concatenate([[0.0], np.cumsum(high[:, 1] - low[:, 1])])
    along = (np.arange(n) + rng.uniform(0, 1, n)) / max(n, 1) * edges[-1]
    box = np.clip(np.searchsorted(edges, along, side="right") - 1, 0, len(boxes) - 1)
    x = low[box, 0] + rng.uniform(0, 1, n) * (high - low)[box, 0]
    y = low[box, 1] + along - edges[box]
    return np.stack([x, y], axis=1)[rng.permutation(n)]


def _bank(
    kinds: NDArray[np.str_], rows: NDArray[np.int64], waveforms: NDArray[np.float32], places: NDArray[np.float64],
    length_um: tuple[float, float], fs: float, rng: np.random.Generator,
) -> UnitBank:  # fmt: skip
    n = len(kinds)
    per_ms = fs / 1000.0
    angle = np.where(rng.random(n) < 0.5, 0.5, 1.5) * np.pi + rng.normal(0, 0.25, n)
    length = np.zeros((n, 2))
    length[:, 0] = np.exp(rng.uniform(np.log(length_um[0]), np.log(length_um[1]), n))
    length[:, 1] = length[:, 0] * rng.uniform(1.0, 1.6, n)
    gain, offset, propagation = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros((n, 2))
    gain[:, 0] = 1.0
    propagates = kinds == "propagating"
    # A dendrite returns part of the soma's current, or carries a late spike of its own if spikes propagate back into
    # it.
    gain[:, 1] = np.where(propagates, rng.uniform(0.3, 0.6, n), -rng.uniform(0.0, 0.25, n))
    gain[np.isin(kinds, ("triphasic", "positive", "slow")), 1] = 0.0
    offset[:, 1] = np.where(propagates, rng.uniform(40, 90, n), rng.uniform(40, 80, n))
    propagation[propagates] = rng.uniform(1.5, 3.0, int(propagates.sum()))[:, None] / 1000.0 * per_ms
    return UnitBank(
        position=places,
        axis=np.stack([np.cos(angle), np.sin(angle)], axis=1),
        elongation=np.where(propagates, rng.uniform(1.2, 1.7, n), rng.uniform(1.0, 1.3, n)),
        exponent=rng.uniform(1.7, 2.6, n),
        radius=np.full(n, 250.0),
        trough=np.zeros(n),
        gain=gain,
        offset=offset,
        length=length,
        spread=np.repeat(rng.uniform(0.0, 0.8, n)[:, None] / 1000.0 * per_ms, 2, axis=1),
        propagation=propagation,
        shape=rows,
        waveforms=waveforms,
        nbefore=BEFORE_MS * per_ms,
        oversampling=OVERSAMPLING,
    )


def _calibrated_bank(bank: UnitBank, amplitude: NDArray[np.float64], layout: ProbeLayout, fs: float) -> UnitBank:
    """Scale each unit to its peak amplitude, and move its time zero to the extremum on the peak channel."""
    before, after = round(BEFORE_MS * fs / 1000), round(2.5 * fs / 1000)
    trough, peak = np.zeros(len(amplitude)), np.zeros(len(amplitude))
    for phase in np.arange(8) / 8:
        templates = np.abs(rest_templates(bank, layout.xy, nbefore=before, nafter=after, phase=phase))
        largest = templates.max(axis=(1, 2), initial=0.0)
        at = templates.max(axis=2).argmax(axis=1) - before - phase
        trough, peak = np.where(largest > peak, at, trough), np.maximum(peak, largest)
    gain = bank.gain * (amplitude / np.maximum(peak, 1e-9))[:, None]
    faint = np.maximum(amplitude / FAINT_UV, 1.1)
    reach = bank.length.max(axis=1) * np.sqrt(faint ** (2 / bank.exponent) - 1) * bank.elongation
    return bank._replace(gain=gain, trough=trough, radius=np.clip(reach, 60.0, 250.0))


def _rare(config: SimulationConfig, rng: np.random.Generator) -> dict[int, float]:
    """Which units fire rarely, and their rates; drawn by themselves, so that the others are the same without them."""
    units = np.sort(rng.permutation(config.n_units)[: round(config.rare_fraction * config.n_units)])
    rates = np.exp(rng.uniform(*np.log(config.rare_rate_hz), len(units)))
    return dict(zip(units.tolist(), rates.tolist(), strict=True))


def draw_population(config: SimulationConfig, layout: ProbeLayout) -> Population:
    """Draw the units of the truth: a function of the configuration alone."""
    rng = np.random.default_rng([config.seed, 1])
    n, fs = config.n_units, config.sampling_frequency
    names, weights = [k for k, _ in config.spike_shapes], np.array([w for _, w in config.spike_shapes])
    kinds = rng.permutation(np.repeat(names, _shares(weights, n)))
    t = fine_axis(fs)
    somatic = [make_waveform("broad" if k == "propagating" else k, t, rng) for k in kinds]
    dendritic = [make_waveform("broad" if k == "propagating" else "dendritic", t, rng) for k in kinds]
    waveforms = np.stack([*somatic, *dendritic]) if n else np.zeros((1, len(t)), np.float32)
    rows = np.stack([np.arange(n), n + np.arange(n)], axis=1)
    low, high = np.log(config.amplitude_range_uv)
    amplitude = np.exp(low + (high - low) * rng.permutation(_evenly_spread(n, rng)) ** config.amplitude_skew)
    bank = _bank(kinds, rows, waveforms, _places(layout, n, 10.0, rng), (18.0, 45.0), fs, rng)
    bank = _calibrated_bank(bank, amplitude, layout, fs)
    rate = config.rate_median_hz * np.exp(config.rate_sigma * rng.standard_normal(n))
    rate[kinds == "narrow"] *= 1.5
    flags = [rng.permutation(n) < round(f * n) for f in (config.bursting_fraction, config.partial_fraction)]
    rate = np.clip(rate, 0.3, 40.0)
    rare = _rare(config, np.random.default_rng([config.seed, 11]))
    rate[list(rare)] = list(rare.values())
    return Population(
        bank=bank, kind=kinds, amplitude_uv=amplitude, rate_hz=rate,
        amplitude_cv=rng.uniform(*config.amplitude_cv, n), refractory_ms=rng.uniform(1.6, 3.0, n),
        bursting=flags[0] & (kinds != "narrow"), partial=flags[1],
        partner=_partners(bank.position, config.synchronous_fraction, rng),
    )  # fmt: skip


def draw_far_units(config: SimulationConfig, layout: ProbeLayout) -> tuple[UnitBank, NDArray[np.float64]]:
    """Draw the hash: distant units with shared waveforms and wide footprints.

    Returns their waveforms and rates (Hz).
    """
    rng = np.random.default_rng([config.seed, 2])
    n, fs = config.n_far_units, config.sampling_frequency
    t = fine_axis(fs)
    kinds = np.array(["narrow", "broad", "broad", "slow"] * (FAR_SHAPES // 4))
    waveforms = np.stack([make_waveform(k, t, rng) for k in kinds])
    row = rng.integers(0, FAR_SHAPES, n)
    low, high = np.log(config.far_amplitude_range_uv)
    # Twice as many units at half the amplitude: the number of neurons grows with the distance.
    amplitude = np.exp(low + (high - low) * rng.uniform(0, 1, n) ** 1.5)
    rows, places = np.stack([row, row], axis=1), _places(layout, n, 40.0, rng)
    bank = _bank(kinds[row], rows, waveforms, places, (35.0, 80.0), fs, rng)
    bank.gain[:, 1] = 0.0
    bank = _calibrated_bank(bank, amplitude, layout, fs)
    rate = config.far_rate_hz * np.exp(0.7 * rng.standard_normal(n) - 0.245)
    return bank, rate


def _evenly_spread(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """n values that fill [0, 1] evenly, so that even a small simulation has both small and large units."""
    return (np.arange(n) + rng.uniform(0, 1, n)) / max(n, 1)


def _shares(weights: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Integers that sum to n, in proportion to the weights."""
    edges = np.rint(np.cumsum(weights) / weights.sum() * n).astype(np.int64)
    return np.asarray(np.diff(edges, prepend=0), np.int64)


def _partners(position: NDArray[np.float64], fraction: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pair some units with their nearest neighbor that has no partner yet."""
    n = len(position)
    partner = np.full(n, -1, np.int64)
    for u in rng.permutation(n)[: round(fraction * n)]:
        near = np.argsort(np.linalg.norm(position - position[u], axis=1), kind="stable")
        free = [v for v in near if v != u and partner[v] == -1 and u not in partner]
        if free:
            partner[u] = free[0]
    return partner
