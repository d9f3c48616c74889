"""Tidying up: templates before they are matched, units and spikes after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .parameters import DefaultParameters


@dataclass(frozen=True)
class Tidied:
    """Templates worth matching, and what was dropped."""

    templates: xr.Dataset
    log: list[dict[str, Any]]


@dataclass(frozen=True)
class Units:
    """Final spikes, ``unit_index`` renumbered from 0, the templates of the units, and what was dropped."""

    spikes: NDArray[Any]
    templates: xr.Dataset
    log: list[dict[str, Any]]


#: Templates are matched if their norm, in noise units, reaches this: below it the matcher cannot tell them from noise.
NORM_MIN = 6.0
#: Two units that coincide for this fraction of the spikes of one are two views of one neuron.
DUPLICATE_FRACTION = 0.5
DUPLICATE_MS = 0.25


def tidy_templates(templates: xr.Dataset, spikes: NDArray[Any], p: DefaultParameters) -> Tidied:
    """Leave out templates that are too weak to be matched."""
    norms = np.sqrt((templates["waveform"].values.astype(np.float64) ** 2).sum(axis=(1, 2)))
    counts = np.bincount(spikes["unit_index"], minlength=len(norms))
    # An average of n spikes carries noise of norm sqrt(samples * slots / n), which is no sign of a unit.
    noise = templates.sizes["sample"] * templates.sizes["slot"] / np.maximum(templates["num_averaged"].values, 1)
    strength = np.sqrt(np.maximum(norms**2 - noise, 0))
    keep = (strength >= NORM_MIN) & (counts >= p.n_spikes_min)
    log = [
        {"step": "templates", "unit": int(u), "reason": "too weak to match", "norm": float(strength[u])}
        for u in np.flatnonzero(~keep)
    ]
    return Tidied(templates.isel(unit=np.flatnonzero(keep)), log)


def tidy_units(matches: NDArray[Any], tidied: Tidied, p: DefaultParameters, *, n_samples: int) -> Units:
    """Drop units with too few spikes and units that repeat another, and number the rest anew."""
    n_units = tidied.templates.sizes["unit"]
    rate = float(tidied.templates.attrs["sampling_frequency"])
    log: list[dict[str, Any]] = []
    counts = np.bincount(matches["unit_index"], minlength=n_units)
    alive = counts >= p.n_spikes_min
    for unit in np.flatnonzero(~alive):
        log.append({"step": "units", "unit": int(unit), "reason": "too few spikes", "num_spikes": int(counts[unit])})
    trains = [np.sort(matches["sample_index"][matches["unit_index"] == u]) for u in range(n_units)]
    gains = np.bincount(matches["unit_index"], weights=matches["gain"], minlength=n_units)
    window = round(DUPLICATE_MS * 1e-3 * rate)
    channels = tidied.templates["channel_index"].values
    for unit in np.argsort(gains, kind="stable"):  # the weaker of two views goes
        if not alive[unit]:
            continue
        for other in np.flatnonzero(alive):
            if other == unit or gains[other] < gains[unit] or not np.intersect1d(channels[unit], channels[other]).size:
                continue
            shared = coincident(trains[unit], trains[other], window=window)
            by_chance = counts[unit] * (1 - np.exp(-counts[other] * (2 * window + 1) / n_samples))
            if shared - by_chance > DUPLICATE_FRACTION * counts[unit]:
                alive[unit] = False
                entry = {"step": "units", "unit": int(unit), "other": int(other), "reason": "repeats"}
                log.append({**entry, "shared": int(shared)})
                break
    number = np.cumsum(alive) - 1
    kept = matches[alive[matches["unit_index"]]]
    kept["unit_index"] = number[kept["unit_index"]]
    return Units(kept, tidied.templates.isel(unit=np.flatnonzero(alive)), log)


def coincident(first: NDArray[np.int64], second: NDArray[np.int64], *, window: int) -> int:
    """Spikes of the first train with one of the second at most ``window`` samples away.

    Examples
    --------
    >>> coincident(np.array([10, 50, 90]), np.array([12, 60]), window=3)
    1
    """
    if not first.size or not second.size:
        return 0
    at = np.searchsorted(second, first - window)
    near = (at < len(second)) & (second[np.minimum(at, len(second) - 1)] <= first + window)
    return int(near.sum())
