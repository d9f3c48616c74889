"""Histograms of the intervals between spikes of a rat's units, and how alike those of pairs of units are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

SAMPLING_FREQUENCY = 30_000.0
#: Interval histograms: bins of one millisecond, width of the smoothing in bins, and intervals that a unit must have.
N_BINS, SMOOTHING, N_INTERVALS_MIN = 100, 1.0, 300
#: Intervals from which on the counts of the bins are more than noise.
N_INTERVALS_MANY = 1_000
#: Distance of neighbors, and the share of a template far from its largest contact from which on it is an artifact.
NEAR_UM, FAR_SHARE_MAX = 60.0, 0.6
#: Ranges of probability of which correlations are shown.
PROBABILITIES = (0.0, 0.05, 0.5, 0.8, 0.95, 1.01)
#: Isolated units: refractory period, largest ratio of violations, and least share of the minutes with a spike.
REFRACTORY_S, VIOLATIONS_MAX, PRESENCE_MIN, DURATION_S = 1.5e-3, 0.5, 0.9, 600


def isolated(path: Path) -> Any:
    """(unit,): few intervals below the refractory period, and spikes throughout."""
    with np.load(path) as stored:
        spikes, offsets = stored["spike_samples"] / SAMPLING_FREQUENCY, stored["unit_offsets"]
    out = np.zeros(len(offsets) - 1, np.bool_)
    for unit, (start, stop) in enumerate(itertools.pairwise(offsets)):
        train, n = np.sort(spikes[start:stop]), max(int(stop - start), 1)
        violations = (np.diff(train) < REFRACTORY_S).sum() * DURATION_S / (2 * n**2 * REFRACTORY_S)
        minutes = np.histogram(train, np.arange(0, DURATION_S + 1, 60))[0]
        out[unit] = violations < VIOLATIONS_MAX and (minutes > 0).mean() >= PRESENCE_MIN
    return out


class Intervals(NamedTuple):
    """Histograms of the intervals between spikes of the units of one day."""

    shape: Any
    """(unit, bin): scaled to a mean of 0 and a length of 1; NaN for units of few intervals"""
    itself: Any
    """(unit,): correlation of the first half of the intervals with the second half"""
    many: Any
    """(unit,): whether there are at least :data:`N_INTERVALS_MANY`"""


def intervals_of(path: Path) -> Intervals:
    with np.load(path) as stored:
        spikes, offsets = stored["spike_samples"], stored["unit_offsets"]
    n_units = len(offsets) - 1
    shape, itself, many = np.full((n_units, N_BINS), np.nan), np.full(n_units, np.nan), np.zeros(n_units, np.bool_)
    for unit, (start, stop) in enumerate(itertools.pairwise(offsets)):
        intervals = np.diff(np.sort(spikes[start:stop])) / SAMPLING_FREQUENCY * 1e3
        intervals = intervals[intervals <= N_BINS]
        if len(intervals) >= N_INTERVALS_MIN:
            shape[unit] = _histogram(intervals)
            first, second = (_histogram(half) for half in np.array_split(intervals, 2))
            itself[unit], many[unit] = first @ second, len(intervals) >= N_INTERVALS_MANY
    return Intervals(shape, itself, many)


def _histogram(intervals: Any) -> Any:
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(np.histogram(intervals, np.arange(N_BINS + 1))[0].astype(float), SMOOTHING)
    return (smooth - smooth.mean()) / np.linalg.norm(smooth - smooth.mean())


class Pairs(NamedTuple):
    """Pairs of units of different days, both with enough intervals."""

    first: Any
    """(pair,): row in the table of all units"""
    second: Any
    days: Any
    """(2, pair): the earlier one first"""
    value: Any
    """(pair,): correlation of the histograms"""
    same: Any
    """(pair,): whether both are in one track"""
    near: Any
    """(pair,): whether they are close to each other and no artifacts"""


def of_units(units: xr.Dataset, by_day: Any) -> Any:
    return np.array([by_day[s][r] for s, r in zip(units["session"].values, units["row"].values, strict=True)])


def pairs_of(units: xr.Dataset, track: Any, intervals: Sequence[Intervals]) -> Pairs:
    number, shape = units["session"].values, of_units(units, [day.shape for day in intervals])
    depth, x, spike = units["y_registered"].values, units["x"].values, units["far_share"].values <= FAR_SHARE_MAX
    i, j = np.triu_indices(len(number), 1)
    known = np.isfinite(shape[i, 0]) & np.isfinite(shape[j, 0]) & (number[i] != number[j])
    i, j = i[known], j[known]
    near = (np.hypot(depth[i] - depth[j], x[i] - x[j]) < NEAR_UM) & spike[i] & spike[j]
    days = np.sort(np.stack([number[i], number[j]]), axis=0)
    return Pairs(i, j, days, (shape[i] * shape[j]).sum(axis=1), track[i] == track[j], near)


def compared(
    units: xr.Dataset, track: Any, names: Sequence[str], intervals: Sequence[Intervals], kinds: dict[str, Any]
) -> list[list[object]]:
    """Rows of the table: pairs of days, pairs of units, and correlations of both kinds.

    Parameters
    ----------
    units
        Of tracks; see :func:`xephys.track_units`.
    track
        Track of each unit, by whatever method.
    names
        Of the days.
    intervals
        By day.
    kinds
        Names of kinds of units, and which units are of it, by day.
    """
    pairs, itself = pairs_of(units, track, intervals), of_units(units, [day.itself for day in intervals])
    chosen = {
        f"{names[a]} – {names[b]}": (pairs.days[0] == a) & (pairs.days[1] == b)
        for a, b in itertools.combinations(range(len(names)), 2)
    } | _of_kinds(units, pairs, kinds)
    rows: list[list[object]] = []
    for name, here in chosen.items():
        matched = here & pairs.same
        own = itself[np.unique(np.concatenate([pairs.first[matched], pairs.second[matched]]))]
        ceiling = f"{own.mean():.2f}" if len(own) else ""
        others = pairs.value[here & pairs.near & ~pairs.same]
        rows.append([name, *typical(pairs.value[matched]), ceiling, *typical(others)])
    return rows


def _of_kinds(units: xr.Dataset, pairs: Pairs, kinds: dict[str, Any]) -> dict[str, Any]:
    """Which pairs are of a kind, from all on."""
    ones = {f"all, {name}": of_units(units, by_day).astype(np.bool_) for name, by_day in kinds.items()}
    every = np.ones(len(pairs.value), np.bool_)
    return {"all": every} | {name: one[pairs.first] & one[pairs.second] for name, one in ones.items()}


def other_figures(
    units: xr.Dataset, track: Any, intervals: Sequence[Intervals], kinds: dict[str, Any]
) -> list[list[object]]:
    """Rows of means by Fisher's z, and of means relative to what the histograms of both units can reach."""
    pairs, half = pairs_of(units, track, intervals), of_units(units, [day.itself for day in intervals])
    # Spearman and Brown: a whole has twice the intervals of the halves that were compared.
    whole = np.maximum(2 * half / (1 + half), 0.0)
    reach = np.sqrt(whole[pairs.first] * whole[pairs.second])
    rows: list[list[object]] = []
    for name, here in _of_kinds(units, pairs, kinds).items():
        row: list[object] = [name]
        for some in (here & pairs.same, here & pairs.near & ~pairs.same):
            value, most = pairs.value[some], reach[some].mean() if some.any() else np.nan
            row += [len(value), f"{np.tanh(np.arctanh(value).mean()):.2f}", f"{most:.2f}", f"{value.mean() / most:.2f}"]
        rows.append(row)
    return rows


def by_probability(tracks: xr.DataTree, intervals: Sequence[Intervals]) -> list[list[object]]:
    """Rows of correlations of the pairs of a range of probability, whether in a track or not."""
    units, table = tracks["units"].to_dataset(), tracks["pairs"].to_dataset()
    pairs = pairs_of(units, units["track"].values, intervals)
    n = units.sizes["unit"]
    ends = np.stack([table["first"].values, table["second"].values])
    chance = dict(zip((ends.min(axis=0) * n + ends.max(axis=0)).tolist(), table["probability"].values, strict=True))
    found = np.array([chance.get(key, 0.0) for key in (pairs.first * n + pairs.second).tolist()])
    rows = []
    for low, high in itertools.pairwise(PROBABILITIES):
        here = pairs.near & (found >= low) & (found < high)
        rows.append([f"{low:g} to {min(high, 1.0):g}", *typical(pairs.value[here])])
    return rows


def typical(values: Any) -> list[object]:
    """Number, median and mean."""
    return [len(values), *([f"{np.median(values):.2f}", f"{values.mean():.2f}"] if len(values) else ["", ""])]
