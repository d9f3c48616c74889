"""Combine several sortings: their segments one after the other, or their units side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..recording.channels import distinct_names
from ..sorting import (
    UNIT_IDS,
    first_samples,
    samples_per_segment,
    segment_starts_s,
    spike_times_s,
    unit_ids_of,
    validate_sorting,
)
from .regroup import logged_tree
from .segments import column_attributes, recount, segment_numbers


def append_sortings(sortings: Iterable[xr.DataTree]) -> xr.DataTree:
    """Combine the segments of several sortings; units of the same name are treated as the same unit.

    Names correspond if the second recording was sorted with what the first one learned (``sort(..., learned=...)``).

    Parameters
    ----------
    sortings
        The sortings, in the desired order.

    Returns
    -------
    A sorting of all segments with all units. It keeps the columns that all sortings have, and templates if all have
    them on the same channels; values are those of the first sorting that has the unit.

    Raises
    ------
    ParameterError
        If no sorting is given, or rates differ.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> spikes = {"sample_index": [90], "unit_index": [0]}
    >>> one = build_sorting(rec, spikes=spikes, units={"label": ["good"]}, unit_ids=["a"])
    >>> two = build_sorting(rec, spikes=spikes, units={"label": ["good"]}, unit_ids=["b"])
    >>> both = append_sortings([one, two])
    >>> both["units"]["unit_id"].values.tolist(), both["spikes"]["segment_index"].values.tolist()
    (['a', 'b'], [0, 1])
    """
    trees = _alike_in_rate(sortings)
    names = list(chain.from_iterable(unit_ids_of(tree).tolist() for tree in trees))
    ids = list(dict.fromkeys(names))
    place = {name: k for k, name in enumerate(ids)}
    row = [names.index(name) for name in ids]
    lengths = [samples_per_segment(tree) for tree in trees]
    before = np.concatenate([[0], np.cumsum([len(some) for some in lengths])])
    nodes = _stacked(
        trees,
        unit_index=[np.array([place[name] for name in unit_ids_of(tree).tolist()], np.int64) for tree in trees],
        segment_offset=before[:-1].tolist(),
    )
    nodes["units"] = nodes["units"].isel(unit=row)
    templates = _templates_beneath(trees)
    if templates is not None:
        nodes["templates"] = templates.isel(unit=row)
    attributes = {
        "n_samples": list(chain.from_iterable(lengths)),
        "first_sample": list(chain.from_iterable(first_samples(tree) for tree in trees)),
        **_starts(trees),
    }
    return _one(trees, nodes, attributes, np.array(ids), step="append_sortings")


def aggregate_units(sortings: Iterable[xr.DataTree]) -> xr.DataTree:
    """Combine the units of several sortings of the same time, such as those of several probes.

    Parameters
    ----------
    sortings
        Sortings of the same segments.

    Returns
    -------
    A sorting with all units. They keep their names if these are all different; otherwise they become ``"0:NAME"``,
    ``"1:NAME"``. If all sortings have templates, these are placed on the channels of all of them, as in
    :func:`xephys.aggregate_channels`. Columns that not all sortings have are left out.

    Raises
    ------
    ParameterError
        If no sorting is given, or rates or segments differ.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> spikes = {"sample_index": [90, 20], "unit_index": [0, 1]}
    >>> one = build_sorting(rec, spikes=spikes, units={"label": ["good", "mua"]})
    >>> both = aggregate_units([one, one])
    >>> both["units"]["unit_id"].values.tolist(), both["spikes"]["sample_index"].values.tolist()
    (['0:0', '0:1', '1:0', '1:1'], [20, 20, 90, 90])
    """
    trees = _alike_in_rate(sortings)
    for number, tree in enumerate(trees[1:], start=1):
        for what, known in (("samples", samples_per_segment), ("first samples", first_samples)):
            if known(tree) != known(trees[0]):
                raise ParameterError(
                    f"sorting {number} has {what} {known(tree)} and sorting 0 has {known(trees[0])}; units are put "
                    "together where the same segments were sorted: list other segments with append_sortings"
                )
    ids = distinct_names([np.asarray(unit_ids_of(tree)) for tree in trees])
    counts = [tree["units"].sizes["unit"] for tree in trees]
    before = np.concatenate([[0], np.cumsum(counts)])
    nodes = _stacked(
        trees,
        unit_index=[before[k] + np.arange(n) for k, n in enumerate(counts)],
        segment_offset=[0] * len(trees),
    )
    templates = _templates_beside(trees)
    if templates is not None:
        nodes["templates"] = templates
        if "channel_index" in nodes["units"]:
            column = nodes["units"]["channel_index"]
            sizes = [tree["templates"].sizes["channel"] for tree in trees]
            shift = np.repeat(np.concatenate([[0], np.cumsum(sizes)[:-1]]), counts)
            nodes["units"] = nodes["units"].assign(channel_index=("unit", column.values + shift, column.attrs))
    attributes = {
        "n_samples": samples_per_segment(trees[0]),
        "first_sample": first_samples(trees[0]),
        **_starts(trees[:1]),
    }
    return _one(trees, nodes, attributes, ids, step="aggregate_units")


def _alike_in_rate(sortings: Iterable[xr.DataTree]) -> list[xr.DataTree]:
    if isinstance(sortings, xr.DataTree):
        raise TypeError("expected several sortings in a list, got one; give [one, two, ...]")
    trees = [validate_sorting(sorting) for sorting in sortings]
    rates = {float(tree.attrs["sampling_frequency"]) for tree in trees}
    if len(rates) != 1:
        raise ParameterError(
            f"{len(trees)} sortings with the rates {', '.join(f'{rate:g}' for rate in sorted(rates)) or 'none'} Hz are "
            "given; give one or more of one rate"
        )
    return trees


def _stacked(
    trees: Sequence[xr.DataTree], *, unit_index: Sequence[NDArray[np.int64]], segment_offset: Sequence[int]
) -> dict[str, xr.Dataset]:
    """All spikes, sorted by segment and sample, and the row of each sorting's units among all units."""
    spikes = []
    for tree, units, offset in zip(trees, unit_index, segment_offset, strict=True):
        own = tree["spikes"].to_dataset(inherit=False)
        spikes.append(
            own.assign(
                unit_index=("spike", units[own["unit_index"].values], {}),
                segment_index=("spike", segment_numbers(tree) + offset, column_attributes(tree, "segment_index")),
                time=("spike", spike_times_s(tree), {"units": "s"}),
            )
        )
    table = _rows_of(spikes, "spike")
    order = np.lexsort((table["sample_index"].values, table["segment_index"].values))
    return {
        "spikes": table.isel(spike=order),
        "units": _rows_of([tree["units"].to_dataset(inherit=False) for tree in trees], "unit"),
    }


def _rows_of(tables: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """The rows of several tables one after the other, restricted to their common columns."""
    first = tables[0]
    shared = [
        name
        for name, column in first.variables.items()
        if column.dims[:1] == (dim,)
        and all(name in other.variables and other[name].shape[1:] == column.shape[1:] for other in tables)
    ]
    columns = {
        name: (first[name].dims, np.concatenate([table[name].values for table in tables]), first[name].attrs)
        for name in shared
    }
    coordinates = {name: columns.pop(name) for name in shared if name in first.coords}
    return xr.Dataset(columns, coords=coordinates)


def _templates_beneath(trees: Sequence[xr.DataTree]) -> xr.Dataset | None:
    """Templates of all units, if all sortings have them in one window on the same channels."""
    if not all("templates" in tree.children for tree in trees):
        return None
    known = [tree["templates"].to_dataset(inherit=False) for tree in trees]
    first = known[0]
    same = all(
        one["templates"].shape[1:] == first["templates"].shape[1:]
        and one["templates"].attrs.get("nbefore") == first["templates"].attrs.get("nbefore")
        and one["channel"].values.tolist() == first["channel"].values.tolist()
        for one in known
    )
    if not same:
        return None
    values = np.concatenate([one["templates"].values for one in known])
    ids = np.concatenate([np.asarray(unit_ids_of(tree)).astype(object) for tree in trees])
    whole = first.isel(unit=np.zeros(len(values), np.int64))
    column = first["templates"]
    return whole.assign(templates=(column.dims, values, column.attrs)).assign_coords(unit_id=("unit", ids))


def _templates_beside(trees: Sequence[xr.DataTree]) -> xr.Dataset | None:
    """Templates on the channels of all sortings, zero on those of the others, if all have them in one window."""
    if not all("templates" in tree.children for tree in trees):
        return None
    known = [tree["templates"].to_dataset(inherit=False) for tree in trees]
    first = known[0]["templates"]
    windows = {(one.sizes["sample"], one["templates"].attrs.get("nbefore")) for one in known}
    if len(windows) > 1:
        return None
    units, channels = [one.sizes["unit"] for one in known], [one.sizes["channel"] for one in known]
    values = np.zeros((sum(units), first.shape[1], sum(channels)), first.dtype)
    unit, channel = 0, 0
    for one, n_units, n_channels in zip(known, units, channels, strict=True):
        values[unit : unit + n_units, :, channel : channel + n_channels] = one["templates"].values
        unit, channel = unit + n_units, channel + n_channels
    coordinates: dict[str, Any] = {"channel": distinct_names([one["channel"].values for one in known])}
    for name, coordinate in known[0].coords.items():
        if coordinate.dims == ("channel",) and name != "channel" and all(name in one.coords for one in known):
            joined = np.concatenate([one.coords[name].values for one in known])
            coordinates[str(name)] = ("channel", joined, coordinate.attrs)
    coordinates["probe"] = ("channel", np.repeat(np.arange(len(known)), channels))
    return xr.Dataset({"templates": (first.dims, values, first.attrs)}, coords=coordinates)


def _one(
    trees: Sequence[xr.DataTree], nodes: dict[str, xr.Dataset], attributes: Mapping[str, Any], ids: NDArray[Any], *,
    step: str,
) -> xr.DataTree:  # fmt: skip
    """A sorting made of stacked nodes."""
    nodes["spikes"]["unit_index"].attrs[UNIT_IDS] = ids.tolist()
    for path in ("units", "templates"):
        if path in nodes:
            nodes[path] = nodes[path].assign_coords(unit_id=("unit", ids))
    whole = xr.DataTree()
    whole.attrs = {"sampling_frequency": float(trees[0].attrs["sampling_frequency"])}
    whole.attrs |= {name: values[0] if len(values) == 1 else values for name, values in attributes.items()}
    recount(nodes, whole)
    entry = {"step": step, "logs": [json.loads(tree.attrs.get("log", "[]")) for tree in trees]}
    return logged_tree(nodes, whole, entry)


def _starts(trees: Sequence[xr.DataTree]) -> dict[str, list[Any]]:
    starts = list(chain.from_iterable(segment_starts_s(tree) for tree in trees))
    if all(start is None for start in starts):
        return {}
    clocks = [
        np.broadcast_to(tree.attrs.get("clock", "regular"), len(samples_per_segment(tree))).tolist() for tree in trees
    ]
    known = [float("nan") if start is None else start for start in starts]
    return {"start_s": known, "clock": list(chain.from_iterable(clocks))}
