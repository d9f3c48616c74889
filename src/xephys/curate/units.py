"""Units chosen, ordered and named anew: spikes, templates and what was learned stay in step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..sorting import UNIT_IDS, unit_ids_of, validate_sorting


def select_units(sorting: xr.DataTree, unit_ids: Any) -> xr.DataTree:
    """Some of the units of a sorting, in the order given.

    ``sorting.isel(unit=...)`` cannot do it: the spikes would keep the numbers of the old order.

    Parameters
    ----------
    sorting
        Any sorting tree.
    unit_ids
        Names of the units, as in the coordinate ``unit_id``.

    Returns
    -------
    A sorting with their spikes, columns and templates; the log says which units went. What was learned keeps the
    templates of the others, so that recordings sorted with it do not give their spikes to the units that are left.

    Raises
    ------
    ParameterError
        If a unit does not exist, or is given twice.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import make_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = make_sorting(
    ...     rec, spikes={"sample_index": [10, 20, 30], "unit_index": [0, 1, 2]}, units={"label": ["good"] * 3}
    ... )
    >>> few = select_units(sorting, [2, 0])
    >>> few["spikes"]["sample_index"].values.tolist(), few["spikes"]["unit_index"].values.tolist()
    ([10, 30], [1, 0])
    """
    tree = validate_sorting(sorting)
    known = unit_ids_of(tree)
    index = _positions(known, unit_ids)
    number = np.full(len(known), -1, np.int64)
    number[index] = np.arange(len(index))
    units = number[tree["spikes"]["unit_index"].values]
    kept = np.flatnonzero(units >= 0)
    nodes = {}
    for node in tree.subtree:
        path = node.path.strip("/")
        if not path or not node.has_data:
            continue
        if path == "learned/templates":
            nodes[path] = _learned(node.to_dataset(inherit=False), number)
            continue
        dataset = node.to_dataset(inherit=False)
        if path == "kilosort4":
            dataset = _kept_of_found(dataset, units >= 0)
        if not path.startswith("learned"):
            dataset = dataset.isel({dim: index for dim in ("unit", "other") if dim in dataset.dims})
            dataset = dataset.isel(spike=kept) if "spike" in dataset.dims else dataset
        nodes[path] = dataset
    attributes = {**nodes["spikes"]["unit_index"].attrs, UNIT_IDS: known[index].tolist()}
    nodes["spikes"] = nodes["spikes"].assign(unit_index=("spike", units[kept], attributes))
    gone = np.setdiff1d(np.arange(len(known)), index)
    entry = {"step": "select_units", "removed": known[gone].tolist()}
    return _tree(nodes, tree, entry)


def relabel_units(
    sorting: xr.DataTree, *, labels: Mapping[Any, str] | None = None, unit_ids: Mapping[Any, Any] | None = None
) -> xr.DataTree:
    """Other labels or other names for some of the units; the log keeps the earlier ones.

    Parameters
    ----------
    sorting
        Any sorting tree.
    labels
        New labels by unit, such as ``{3: "good", 7: "noise"}``.
    unit_ids
        New names by unit.

    Raises
    ------
    ParameterError
        If a unit does not exist, or two would have one name.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import make_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = make_sorting(
    ...     rec, spikes={"sample_index": [10, 20], "unit_index": [0, 1]}, units={"label": ["good"] * 2}
    ... )
    >>> relabel_units(sorting, labels={1: "noise"})["units"]["label"].values.tolist()
    ['good', 'noise']
    """
    tree = validate_sorting(sorting)
    known = unit_ids_of(tree)
    nodes = {
        node.path.strip("/"): node.to_dataset(inherit=False)
        for node in tree.subtree
        if node.path != "/" and node.has_data
    }
    entry: dict[str, Any] = {"step": "relabel_units"}
    if labels:
        index = _positions(known, list(labels))
        column = nodes["units"]["label"]
        values = column.values.astype(object)
        entry["labels"] = {str(known[k]): str(values[k]) for k in index}
        values[index] = [str(label) for label in labels.values()]
        nodes["units"] = nodes["units"].assign(label=("unit", values.astype(str), column.attrs))
    if unit_ids:
        index = _positions(known, list(unit_ids))
        names = known.astype(object)
        names[index] = list(unit_ids.values())
        names = np.array(names.tolist())
        if len(np.unique(names)) < len(names):
            raise ParameterError(f"unit_ids gives {len(names) - len(np.unique(names))} units a name that another has")
        entry["unit_ids"] = {str(names[k]): str(known[k]) for k in index}
        for path in ("units", "templates"):
            if path in nodes:
                nodes[path] = nodes[path].assign_coords(unit_id=("unit", names))
        column = nodes["spikes"]["unit_index"]
        nodes["spikes"] = nodes["spikes"].assign(
            unit_index=("spike", column.values, {**column.attrs, UNIT_IDS: names.tolist()})
        )
    return _tree(nodes, tree, entry)


def _positions(known: NDArray[Any], unit_ids: Any) -> NDArray[np.int64]:
    place = {unit: k for k, unit in enumerate(known.tolist())}
    wanted = np.atleast_1d(np.asarray(unit_ids, dtype=object)).tolist()
    missing = [unit for unit in wanted if unit not in place]
    if missing:
        raise ParameterError(
            f"there is no unit {', '.join(map(repr, missing[:8]))}; the {len(known)} units are "
            f"{', '.join(map(repr, known.tolist()[:8]))}{', …' if len(known) > 8 else ''}"
        )
    if len(set(wanted)) < len(wanted):
        raise ParameterError(f"{len(wanted)} units are given, {len(set(wanted))} different; give each wanted one once")
    return np.array([place[unit] for unit in wanted], np.int64)


def _learned(templates: xr.Dataset, number: NDArray[np.int64]) -> xr.Dataset:
    """Learned templates, those of units in the units' new order first; the others belong to none any more."""
    of_unit = templates["unit_index"].values
    new = np.where(of_unit >= 0, number[of_unit], -1)
    represents = templates["represents"].values & (new >= 0)
    order = np.lexsort((np.arange(len(new)), np.where(represents, new, len(number))))
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


def _tree(nodes: Mapping[str, xr.Dataset], sorting: xr.DataTree, entry: Mapping[str, Any]) -> xr.DataTree:
    tree = xr.DataTree.from_dict(dict(nodes))
    log = [*json.loads(sorting.attrs.get("log", "[]")), dict(entry)]
    tree.attrs = {**sorting.attrs, "log": json.dumps(log, default=str)}
    return validate_sorting(tree)
