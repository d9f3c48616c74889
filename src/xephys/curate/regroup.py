"""Every node of a sorting brought in step with a new list of units, each of which comes from an earlier one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..sorting import UNIT_IDS, plain_value, validate_sorting


def regrouped(
    earlier: Mapping[str, xr.Dataset],
    *,
    unit_of_spike: NDArray[np.int64],
    source: NDArray[np.int64],
    successor: NDArray[np.int64],
    unit_ids: NDArray[Any],
) -> dict[str, xr.Dataset]:
    """Nodes of a sorting for other units, by path.

    Parameters
    ----------
    earlier
        Nodes of a valid sorting, from :func:`nodes_of`.
    unit_of_spike
        New unit of each spike; negative for one that goes.
    source
        For each new unit the earlier one from which its columns, its template and its features are taken.
    successor
        For each earlier unit the new one that gets its learned templates; negative if none does.
    unit_ids
        Names of the new units.
    """
    kept = np.flatnonzero(unit_of_spike >= 0)
    nodes = {}
    for path, dataset in earlier.items():
        if path == "learned/templates":
            nodes[path] = _learned(dataset, source, successor)
        elif path.startswith("learned"):
            nodes[path] = dataset
        else:
            if path == "kilosort4":
                dataset = _kept_of_found(dataset, unit_of_spike >= 0)
            dataset = dataset.isel({dim: source for dim in ("unit", "other") if dim in dataset.dims})
            nodes[path] = dataset.isel(spike=kept) if "spike" in dataset.dims else dataset
    for path in ("units", "templates"):
        if path in nodes:
            nodes[path] = nodes[path].assign_coords(unit_id=("unit", unit_ids))
    attributes = {**nodes["spikes"]["unit_index"].attrs, UNIT_IDS: unit_ids.tolist()}
    nodes["spikes"] = nodes["spikes"].assign(unit_index=("spike", unit_of_spike[kept], attributes))
    return nodes


def nodes_of(sorting: xr.DataTree) -> dict[str, xr.Dataset]:
    """The datasets of a tree by path."""
    return {
        node.path.strip("/"): node.to_dataset(inherit=False)
        for node in sorting.subtree
        if node.path != "/" and node.has_data
    }


def with_rows(dataset: xr.Dataset, name: str, rows: Any, values: Any) -> xr.Dataset:
    """The dataset with other values in some rows of a variable, which keeps its type and attributes."""
    column = dataset[name]
    new = np.array(column.values)
    if new.dtype.kind == "U":  # a longer text must fit
        new = new.astype(object)
    new[rows] = values
    return dataset.assign({name: (column.dims, new.astype(str) if new.dtype == object else new, column.attrs)})


def logged_tree(nodes: Mapping[str, xr.Dataset], sorting: xr.DataTree, entry: Mapping[str, Any]) -> xr.DataTree:
    """A valid tree of the nodes, with the attributes of the earlier sorting and one entry more in its log."""
    tree = xr.DataTree.from_dict(dict(nodes))
    log = [*json.loads(sorting.attrs.get("log", "[]")), dict(entry)]
    tree.attrs = {**sorting.attrs, "log": json.dumps(log, default=plain_value)}
    return validate_sorting(tree)


def _learned(templates: xr.Dataset, source: NDArray[np.int64], successor: NDArray[np.int64]) -> xr.Dataset:
    """Learned templates, those of units in the units' new order first; the others belong to none any more."""
    of_unit = templates["unit_index"].values
    new = np.where(of_unit >= 0, successor[of_unit], -1)
    represents = templates["represents"].values & (new >= 0)
    represents[represents] = source[new[represents]] == of_unit[represents]
    order = np.lexsort((np.arange(len(new)), np.where(represents, new, len(source))))
    changed = templates.assign(
        unit_index=("unit", new.astype(of_unit.dtype), templates["unit_index"].attrs),
        represents=("unit", represents, templates["represents"].attrs),
    )
    return changed.isel(unit=order)


def _kept_of_found(dataset: xr.Dataset, kept: NDArray[np.bool_]) -> xr.Dataset:
    """Which of the spikes found are left, where some of those kept so far went."""
    found = dataset["kept"].values.copy()
    found[np.flatnonzero(found)[~kept]] = False
    return dataset.assign(kept=("found", found))
