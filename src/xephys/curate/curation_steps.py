"""Apply one step of a curation to a sorting: labels, removals, merges and splits, in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from .merge import merge_units
from .names import unused_ids
from .regroup import logged_tree, nodes_of
from .split import split_unit
from .units import relabel_units, select_units

#: The category of labels that is the tree's own ``label``, and other spellings of its values.
QUALITY, _LABELS = "quality", {"MUA": "mua", "Good": "good", "Noise": "noise"}


def apply_step(
    tree: xr.DataTree, step: Mapping[str, Any], *, duplicate_ms: float | None = None
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Apply one step of :func:`read_curation`: returns the new tree, and the step with the names given to units.

    Splits of one unit are applied together: two spikes stay together if no split separates them.
    """
    known = unit_ids_of(tree).tolist()
    foreign = [unit for unit in step["unit_ids"] if unit not in known]
    missing = [unit for unit in known if unit not in step["unit_ids"]]
    if foreign or missing:
        raise ParameterError(
            f"the curation is of other units than the {len(known)} of this sorting: "
            f"{', '.join(map(repr, (foreign or missing)[:8]))} {'is not there' if foreign else 'is not in it'}; apply "
            "it to the sorting for which it was made"
        )
    tree = _labelled(tree, step)
    if step["removed"]:
        gone = set(step["removed"])
        if lost := gone - set(known):
            raise ParameterError(f"removed names {sorted(lost, key=str)[0]!r}, which is not a unit of the sorting")
        tree = select_units(tree, [unit for unit in known if unit not in gone])
    exclusive = {name: one["exclusive"] for name, one in step["label_definitions"].items()}
    merges, splits = [], []
    for one in step["merges"]:
        name = one["new_unit_id"]
        if name is None:
            name = unused_ids(tree, 1, stem=one["unit_ids"][0])[0]
        before = tree
        tree = merge_units(tree, one["unit_ids"], new_id=name, duplicate_ms=duplicate_ms)
        tree = _inherited(before, tree, one["unit_ids"], name, exclusive)
        merges.append({"unit_ids": one["unit_ids"], "new_unit_id": name})
    together: dict[Any, list[Mapping[str, Any]]] = {}
    for one in step["splits"]:
        together.setdefault(one["unit_id"], []).append(one)
    for whole, several in together.items():
        tree, named = _split_apart(tree, whole, several)
        splits.append(named)
    return tree, {**step, "merges": merges, "splits": splits}


def _split_apart(
    tree: xr.DataTree, unit: Any, splits: Sequence[Mapping[str, Any]]
) -> tuple[xr.DataTree, dict[str, Any]]:
    """The tree with a unit divided by all its splits, and these combined into one with the names of the parts."""
    ids = unit_ids_of(tree).tolist()
    position = ids.index(unit) if unit in ids else -1
    n_spikes = int((tree["spikes"]["unit_index"].values == position).sum())
    labels = np.zeros(n_spikes, np.int64)
    for one in splits:
        part = np.unique(_parts(one, n_spikes), return_inverse=True)[1]
        labels = labels * (int(part.max(initial=0)) + 1) + part if part.shape == labels.shape else part
    labels = np.unique(labels, return_inverse=True)[1]
    given = [one["new_unit_ids"] for one in splits if one["new_unit_ids"] is not None]
    if len(given) > 1:
        raise ParameterError(
            f"unit {unit!r} is split {len(splits)} times at once, and names are given for each; the parts are those "
            "that any split tells apart: give all names with one of them, or none"
        )
    names = list(given[0]) if given else unused_ids(tree, int(labels.max(initial=0)) + 1, stem=unit)
    tree = split_unit(tree, unit, labels=labels, new_ids=names)
    if len(splits) == 1:
        return tree, {**splits[0], "new_unit_ids": names}
    return tree, {"unit_id": unit, "mode": "labels", "labels": labels.tolist(), "new_unit_ids": names}


def _labelled(tree: xr.DataTree, step: Mapping[str, Any]) -> xr.DataTree:
    """The tree with the labels of a step, which come before everything else."""
    place = {unit: k for k, unit in enumerate(unit_ids_of(tree).tolist())}
    for name, definition in step["label_definitions"].items():
        given = {one["unit_id"]: one["labels"][name] for one in step["manual_labels"] if one["labels"].get(name)}
        if foreign := [unit for unit in given if unit not in place]:
            raise ParameterError(f"manual_labels name {foreign[0]!r}, which is not a unit of the sorting")
        if definition["exclusive"] and (more := [unit for unit, labels in given.items() if len(labels) > 1]):
            raise ParameterError(
                f"unit {more[0]!r} has {len(given[more[0]])} labels of {name!r}, of which one excludes others"
            )
        if name == QUALITY and definition["exclusive"]:
            tree = relabel_units(tree, labels={unit: _LABELS.get(one[0], one[0]) for unit, one in given.items()})
            continue
        nodes = nodes_of(tree)
        columns: dict[str, Any] = {}
        if definition["exclusive"]:
            texts = np.full(len(place), "", object)
            texts[[place[unit] for unit in given]] = [labels[0] for labels in given.values()]
            columns[name] = texts.astype(str)
        else:
            for label in definition["label_options"]:
                columns[str(label)] = np.array([label in given.get(unit, ()) for unit in place], bool)
        nodes["units"] = nodes["units"].assign({key: ("unit", values) for key, values in columns.items()})
        tree = logged_tree(nodes, tree, {"step": "label_units", "category": name, "units": list(given)})
    return tree


def _inherited(
    before: xr.DataTree, tree: xr.DataTree, members: Sequence[Any], name: Any, exclusive: Mapping[str, bool]
) -> xr.DataTree:
    """The merged unit with each label of a non-exclusive category that any member has."""
    rows = [unit_ids_of(before).tolist().index(unit) for unit in members]
    merged = unit_ids_of(tree).tolist().index(name)
    units = tree["units"].to_dataset()
    changed = {}
    for column, values in before["units"].data_vars.items():
        if values.dtype.kind == "b" and column not in exclusive:
            new = before["units"][column].values
            ids = unit_ids_of(before).tolist()
            kept = [bool(new[ids.index(unit)]) if unit in ids else False for unit in unit_ids_of(tree).tolist()]
            kept[merged] = bool(new[rows].any())
            changed[column] = ("unit", np.array(kept, bool), values.attrs)
    if not changed:
        return tree
    made = xr.DataTree.from_dict({**nodes_of(tree), "units": units.assign(changed)})
    made.attrs = dict(tree.attrs)
    return validate_sorting(made)


def _parts(one: Mapping[str, Any], n_spikes: int) -> Any:
    """A label for each spike; spikes in no list of indices form an additional part."""
    if one["mode"] == "labels":
        return np.asarray(one["labels"])
    labels = np.full(n_spikes, len(one["indices"]), np.int64)
    for part, indices in enumerate(one["indices"]):
        rows = np.asarray(indices, np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < n_spikes:
            raise ParameterError(
                f"indices of the split of unit {one['unit_id']!r} run to {rows.max()} and it has {n_spikes} spikes, "
                "counted from 0"
            )
        if (labels[rows] < len(one["indices"])).any() or len(np.unique(rows)) < len(rows):
            raise ParameterError(f"the split of unit {one['unit_id']!r} names a spike twice; each belongs to one part")
        labels[rows] = part
    return labels
