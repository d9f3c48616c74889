"""Split a unit: its spikes, by labels or by a mask, become those of several units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from .measures import put_metrics, rescaled
from .names import check_new_ids, unit_positions, unused_ids
from .regroup import logged_tree, nodes_of, regrouped, with_rows


def split_unit(sorting: xr.DataTree, unit_id: Any, *, labels: Any, new_ids: Sequence[Any] | None = None) -> xr.DataTree:
    """Split a unit into several.

    Each part gets the unit's template, scaled to the mean size of the part's spikes if the tree has their sizes;
    without traces it cannot be averaged again (see :func:`xephys.estimate_templates`). Its position is the unit's,
    shifted by the difference between the mean position of its spikes and that of all the unit's spikes. Parts take the
    place of the unit, in order of their labels, with its label.

    Metrics of this package are computed from the spikes, the template and the noise levels of the tree; any other
    metric becomes NaN, and the log says why. Learned data go to the largest part: a sorting with a split unit cannot be
    used as ``learned``.

    Parameters
    ----------
    sorting
        Any sorting tree.
    unit_id
        Name of the unit.
    labels
        One value per spike of the unit, in the order of the tree: integers or strings, one part per value; or a mask,
        true for the spikes that leave.
    new_ids
        Names of the parts, in the order of their labels; by default, names that have never been used.

    Returns
    -------
    A sorting; the log says what was split.

    Raises
    ------
    ParameterError
        If the unit does not exist, there is not one label per spike, there are fewer than two parts, or a name is
        taken.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((3000, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(
    ...     rec, spikes={"sample_index": [100, 200, 300], "unit_index": [0, 0, 1]}, units={"label": ["good"] * 2}
    ... )
    >>> divided = split_unit(sorting, 0, labels=[False, True])
    >>> divided["units"]["unit_id"].values.tolist(), divided["spikes"]["unit_index"].values.tolist()
    ([2, 3, 1], [0, 1, 2])
    """
    tree = validate_sorting(sorting)
    known = unit_ids_of(tree)
    parent = int(unit_positions(known, [unit_id])[0])
    unit_of_spike = np.asarray(tree["spikes"]["unit_index"].values, np.int64)
    rows = np.flatnonzero(unit_of_spike == parent)
    names, part = _parts(labels, n_spikes=len(rows), unit_id=unit_id)
    rest = np.delete(known, parent).tolist()
    if new_ids is None:
        new_ids = unused_ids(tree, len(names), stem=known[parent])
    if len(new_ids) != len(names):
        raise ParameterError(f"{len(new_ids)} new_ids are given for {len(names)} parts; give one for each label")
    new_names = check_new_ids(known, list(new_ids), taken=rest)

    n_parts, sizes = len(names), np.bincount(part)
    source = np.insert(np.arange(len(known)), parent, [parent] * (n_parts - 1))
    successor = np.arange(len(known)) + (n_parts - 1) * (np.arange(len(known)) > parent)
    of_spike = successor[unit_of_spike]
    of_spike[rows] = parent + part
    successor[parent] = parent + int(sizes.argmax())
    factor = _relative_sizes(tree["spikes"].dataset, rows, part)
    spike_factor, unit_factor = np.ones(len(unit_of_spike)), np.ones(len(known))
    spike_factor[rows], unit_factor[parent] = 1 / factor[part], 1 / factor[sizes.argmax()]
    nodes = regrouped(
        rescaled(nodes_of(tree), spike_factor, unit_factor),
        unit_of_spike=of_spike,
        source=source,
        successor=successor,
        unit_ids=np.array([*known[:parent].tolist(), *new_names, *known[parent + 1 :].tolist()]),
    )
    parts = parent + np.arange(n_parts)
    for path, name in (("templates", "templates"), ("kilosort4", "template")):
        if path in nodes:
            waveform = nodes[path][name].values[parts] * factor[:, None, None]
            nodes[path] = with_rows(nodes[path], name, parts, waveform)
    for name in sorted({"x", "y", "z"} & set(nodes["units"]) & set(nodes["spikes"])):
        moved = _moved(tree["spikes"][name].values[rows].astype(np.float64), part)
        nodes["units"] = with_rows(nodes["units"], str(name), parts, nodes["units"][name].values[parts] + moved)
    unknown = put_metrics(tree, nodes, units=parts.tolist(), members=[np.array([parent])] * n_parts)
    entry = {
        "step": "split_unit",
        "split": known[parent].item(),
        "new_unit_ids": new_names,
        "labels": names,
        "removed": [] if known[parent].item() in new_names else [known[parent].item()],
        "num_spikes": sizes.tolist(),
        **({"unknown": unknown} if unknown else {}),
    }
    return logged_tree(nodes, tree, entry)


def _parts(labels: Any, *, n_spikes: int, unit_id: Any) -> tuple[list[Any], NDArray[np.int64]]:
    """The labels that occur, sorted, and the index of each spike's label among them."""
    values = np.asarray(labels)
    if values.shape != (n_spikes,):
        raise ParameterError(
            f"labels have shape {values.shape} and unit {unit_id!r} has {n_spikes} spikes; give one label for each of "
            "its spikes, in their order"
        )
    if values.dtype.kind not in "biuUS":
        raise ParameterError(f"labels are {values.dtype}; give integers, texts, or a mask of booleans")
    names, part = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise ParameterError(f"all {n_spikes} spikes of unit {unit_id!r} have one label; two parts need two")
    return names.tolist(), part.ravel().astype(np.int64)


def _relative_sizes(spikes: xr.Dataset, rows: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean size of each part's spikes relative to that of all; 1 if the tree has no sizes."""
    if "scale" not in spikes:
        return np.ones(part.max() + 1)
    scale = np.asarray(spikes["scale"].values[rows], np.float64)
    means = np.bincount(part, weights=scale) / np.bincount(part)
    relative = means / scale.mean() if scale.mean() > 0 else np.full(len(means), np.nan)
    return np.where(np.isfinite(relative) & (relative > 0), relative, 1.0)


def _moved(places: NDArray[np.float64], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Offset of the mean position of each part's spikes from that of all; 0 if the tree has no positions."""
    known = np.isfinite(places)
    if not known.any():
        return np.zeros(part.max() + 1)
    n = np.bincount(part[known], minlength=part.max() + 1)
    sums = np.bincount(part[known], weights=places[known], minlength=part.max() + 1)
    return np.where(n > 0, sums / np.maximum(n, 1) - places[known].mean(), 0.0)
