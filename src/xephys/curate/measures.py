"""Metrics of units that were made from others: those that the tree determines, and why the rest is unknown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..metrics.facts import UnitFacts
from ..metrics.table import METRICS, compute_columns
from ..schema import UNIT_VARIABLES
from ..sorting import first_samples, samples_per_segment
from .regroup import with_rows

#: Minimum noise level by which an amplitude is divided.
NOISE_MIN = 1e-9
#: Facts that a tree holds about its units; metrics that need more are unknown.
KNOWN_FACTS = {"sample_index", "unit_index", "n_samples", "amplitude", "noise"}


def put_metrics(
    sorting: xr.DataTree,
    nodes: dict[str, xr.Dataset],
    *,
    units: Sequence[int],
    members: Sequence[NDArray[np.int64]],
    names: Collection[str] = tuple(METRICS),
) -> dict[str, str]:
    """Set the metrics of some new units in ``nodes["units"]``, and return which are unknown.

    A metric of this package is computed if the tree holds what it needs: spikes, templates, noise levels. In other
    columns, floating-point numbers are assumed to be metrics and become NaN; any other value stays if all members
    agree.

    Parameters
    ----------
    sorting
        The earlier sorting.
    nodes
        Nodes of the new sorting, with consistent spikes, templates and ``channel_index``; changed in place.
    units
        Positions of the new units.
    members
        For each of them, the positions of the earlier units whose spikes it has.
    names
        Metrics whose values in the tree are this package's; any other column is foreign, whatever its name.

    Returns
    -------
    Reasons why columns are unknown, by name.
    """
    table = nodes["units"]
    values, unknown = _computed(sorting, nodes, np.asarray(units, np.int64), names)
    for name in map(str, nodes["units"].data_vars):
        if name in UNIT_VARIABLES or name == "z":
            continue
        column = table[name]
        if name in values:
            table = with_rows(table, name, list(units), values[name])
            continue
        for k, of_unit in zip(units, members, strict=True):
            earlier = sorting["units"][name].values[of_unit]
            if column.dtype.kind not in "fc" and all(np.array_equal(earlier[0], other) for other in earlier[1:]):
                table = with_rows(table, name, k, earlier[0])
                continue
            if table[name].dtype.kind in "iub":
                table = table.assign({name: table[name].astype(np.float64)})
            table = with_rows(table, name, k, "" if column.dtype.kind in "USO" else np.nan)
            unknown.setdefault(name, "this tree cannot give its value for the new spikes; compute it again")
    nodes["units"] = table
    return {name: reason for name, reason in unknown.items() if name in table}


def rescaled(
    nodes: dict[str, xr.Dataset], of_spike: NDArray[np.float64], of_unit: NDArray[np.float64]
) -> dict[str, xr.Dataset]:
    """The nodes with the sizes of spikes and learned templates, relative to the unit's, multiplied by factors."""
    nodes = dict(nodes)
    if "scale" in nodes["spikes"]:
        scale = nodes["spikes"]["scale"]
        values = (scale.values * of_spike).astype(scale.dtype)
        nodes["spikes"] = nodes["spikes"].assign(scale=("spike", values, scale.attrs))
    if "learned/templates" in nodes and np.isfinite(of_unit).all():
        learned = nodes["learned/templates"]
        size, unit = learned["relative_size"], learned["unit_index"].values
        values = np.where(unit >= 0, size.values * of_unit[unit], size.values).astype(size.dtype)
        nodes["learned/templates"] = learned.assign(relative_size=("unit", values, size.attrs))
    return nodes


def largest_values(templates: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Largest absolute value of each template ``(unit, sample, channel)``."""
    return np.asarray(np.abs(templates).max(axis=(1, 2), initial=0.0), np.float64)


def _computed(
    sorting: xr.DataTree, nodes: dict[str, xr.Dataset], units: NDArray[np.int64], wanted: Collection[str]
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Metrics of some new units that the tree determines, and why the others are unknown."""
    amplitude = np.full(len(units), np.nan)
    unknown = {}
    if "templates" in nodes:
        amplitude = largest_values(nodes["templates"]["templates"].values[units])
    else:
        unknown["amplitude"] = "the tree has no templates"
    noise = _noise_levels(sorting, nodes)[units]
    if not np.isfinite(amplitude / noise).all():
        unknown["snr"] = unknown.get("amplitude", "the noise level of the peak channel is not known")
    facts = _facts(sorting, nodes["spikes"], units, amplitude=amplitude, noise=noise)
    told = [name for name, metric in METRICS.items() if set(metric.needs) <= KNOWN_FACTS]
    names = [name for name in told if name in wanted and name in nodes["units"]]
    if "kilosort4" not in nodes:
        return compute_columns(facts, names), unknown
    columns = compute_columns(facts, [name for name in names if name != "contamination"])
    return {**columns, "contamination": _central_rates(facts)}, unknown


def _facts(sorting: xr.DataTree, spikes: xr.Dataset, units: NDArray[np.int64], **known: Any) -> UnitFacts:
    """Facts of some units on one time axis, along which segments follow each other."""
    lengths = np.array(samples_per_segment(sorting), np.int64)
    moved = np.concatenate([[0], np.cumsum(lengths)[:-1]]) - np.array(first_samples(sorting))
    rows = np.flatnonzero(np.isin(spikes["unit_index"].values, units))
    samples = spikes["sample_index"].values[rows]
    samples = samples + (moved[spikes["segment_index"].values[rows]] if "segment_index" in spikes else moved[0])
    order = np.argsort(samples, kind="stable")
    place = np.argsort(units)
    unit_index = place[np.searchsorted(units, spikes["unit_index"].values[rows], sorter=place)]
    return UnitFacts(
        sample_index=samples[order],
        unit_index=unit_index[order],
        n_units=len(units),
        n_samples=max(int(lengths.sum()), 1),
        sampling_frequency=float(sorting.attrs["sampling_frequency"]),
        **known,
    )


def _central_rates(facts: UnitFacts) -> NDArray[np.float64]:
    """Contamination as in the preset ``kilosort4``: the central rate of the auto-correlogram."""
    from ..kernels.metrics.trains import refractory_ratios

    ratio, _ = refractory_ratios(
        facts.sample_index,
        facts.unit_index,
        n_units=facts.n_units,
        bin_samples=max(1, facts.samples(1.0)),
        ratio_max=1.0,
        chance_max=1.0,
    )
    return ratio


def _noise_levels(sorting: xr.DataTree, nodes: dict[str, xr.Dataset]) -> NDArray[np.float64]:
    """Noise level of the peak channel of each new unit: as learned, or from units with that peak channel."""
    n_units = nodes["units"].sizes["unit"]
    if "channel_index" not in nodes["units"]:
        return np.full(n_units, np.nan)
    channel = np.asarray(nodes["units"]["channel_index"].values, np.int64)
    if "learned/channels" in nodes:
        levels = np.maximum(nodes["learned/channels"]["noise_level"].values, NOISE_MIN)
        return np.asarray(levels[channel], np.float64)
    earlier = sorting["units"].dataset
    if not {"amplitude", "snr", "channel_index"} <= set(earlier):
        return np.full(n_units, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_unit = earlier["amplitude"].values / earlier["snr"].values
    told = np.isfinite(by_unit)
    channels, first = np.unique(earlier["channel_index"].values[told], return_index=True)
    place = np.searchsorted(channels, channel).clip(max=max(len(channels) - 1, 0))
    known = channels[place] == channel if len(channels) else np.zeros(n_units, bool)
    return np.where(known, by_unit[told][first[place]] if len(channels) else np.nan, np.nan)
