"""Templates, models and traces with known spikes for the tests of matching."""

from __future__ import annotations

from typing import Any

import numpy as np

from xephys.kernels.match.model import MatchModel, build_match_model
from xephys.kernels.match.templates import match_halo, match_templates
from xephys.kernels.templates.low_rank import low_rank_templates

N_BEFORE, N_SAMPLES, N_CHANNELS = 12, 33, 12
#: Each channel of the line with those beside it, padded with -1.
NEIGHBORS = np.arange(N_CHANNELS)[:, None] + np.array([-1, 0, 1])
NEIGHBORS = np.where(NEIGHBORS < N_CHANNELS, NEIGHBORS, -1).astype(np.int32)


def make_templates(n_units: int, *, seed: int = 0, size: float = 12.0) -> np.ndarray:
    """Biphasic spikes of differing width on 12 channels in a line: float64 (unit, sample, channel)."""
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) - N_BEFORE
    templates = np.zeros((n_units, N_SAMPLES, N_CHANNELS))
    for unit in range(n_units):
        width, place = rng.uniform(2.0, 3.5), rng.uniform(1, N_CHANNELS - 2)
        for channel in range(N_CHANNELS):
            delay = 0.3 * abs(channel - place)
            course = -np.exp(-0.5 * ((time - delay) / width) ** 2)
            course += 0.4 * np.exp(-0.5 * ((time - delay - 3 * width) / (1.5 * width)) ** 2)
            templates[unit, :, channel] = size * course * np.exp(-abs(channel - place) / 1.2)
    return templates


def make_model(templates: np.ndarray, *, rank: int = 4, steps_per_sample: int = 4) -> MatchModel:
    """Model whose templates have the channels above 2 % of the peak, in the order of channels."""
    strong = np.abs(templates).max(axis=1) > 0.02 * np.abs(templates).max(axis=(1, 2), initial=0)[:, None]
    channels = np.where(strong, np.arange(N_CHANNELS), -1).astype(np.int32)
    temporal, spatial = low_rank_templates(np.where(strong[:, None, :], templates, 0), rank=rank)
    return build_match_model(
        temporal=temporal,
        spatial=spatial,
        channels=channels,
        n_channels=N_CHANNELS,
        steps_per_sample=steps_per_sample,
    )


def whole(model: MatchModel) -> np.ndarray:
    """Templates of a model, float64 (unit, sample, channel)."""
    waveforms = np.einsum("urt,urk->utk", model["temporal"].astype(float), model["spatial"].astype(float))
    out = np.zeros((*waveforms.shape[:2], N_CHANNELS))
    for unit, slots in enumerate(model["channels"]):
        out[unit][:, slots[slots >= 0]] = waveforms[unit][:, slots >= 0]
    return out


def make_traces(
    model: MatchModel, spikes: list[tuple[int, int, float]], n_rows: int, *, noise: float = 0.0, seed: int = 0
) -> np.ndarray:
    """Traces with spikes given as (unit, sample, amplitude)."""
    traces = noise * np.random.default_rng(seed).standard_normal((n_rows, N_CHANNELS))
    waveforms = whole(model)
    for unit, sample, amplitude in spikes:
        traces[sample - N_BEFORE : sample - N_BEFORE + N_SAMPLES] += amplitude * waveforms[unit]
    return traces.astype(np.float32)


def random_spikes(n_units: int, n_rows: int, count: int, *, seed: int) -> list[tuple[int, int, float]]:
    """Spikes at random times; spikes of a unit are at least 60 samples apart."""
    rng = np.random.default_rng(seed)
    chosen: list[tuple[int, int, float]] = []
    while len(chosen) < count:
        unit, sample = int(rng.integers(n_units)), int(rng.integers(N_SAMPLES, n_rows - N_SAMPLES))
        if all(u != unit or abs(s - sample) > 60 for u, s, _ in chosen):
            chosen.append((unit, sample, float(rng.normal(1, 0.1))))
    return chosen


def match(traces: np.ndarray, model: MatchModel, **parameters: Any) -> np.ndarray:
    """Match padded traces that are zero outside the core."""
    before, after = match_halo(N_SAMPLES, nbefore=N_BEFORE)
    padded = np.pad(traces, ((before, after), (0, 0)))
    return match_templates(padded, before=before, after=after, start=0, nbefore=N_BEFORE, model=model, **parameters)


def neighbors(model: MatchModel) -> tuple[int, int]:
    """Two units of moderate similarity."""
    norms = np.sqrt(model["energies"])
    for unit in range(norms.size):
        for pair in range(model["pair_starts"][unit], model["pair_starts"][unit + 1]):
            partner = int(model["pair_units"][pair])
            overlap = model["pair_overlaps"][pair, model["pair_overlaps"].shape[1] // 2, N_SAMPLES - 1]
            if partner > unit and 0.1 < overlap / (norms[unit] * norms[partner]) < 0.6:
                return unit, partner
    raise AssertionError("no such pair: choose another seed")


#: A small unexplained share for each of three templates.
LITTLE = np.full(3, 0.005)


def with_one_between(lag: int) -> tuple[MatchModel, list[tuple[int, int, float]]]:
    """Two neighbors that fire together eight times, and a third unit that resembles their sum and never fires."""
    templates = make_templates(8, seed=4)
    pair = templates[list(neighbors(make_model(templates)))]
    model = make_model(np.concatenate([pair, 0.8 * pair.sum(axis=0, keepdims=True)]))
    return model, [(unit, 100 * k + lag * unit, 1.0) for k in range(1, 9) for unit in (0, 1)]
