"""Select, reorder and rename units, keeping spikes, templates and learned data consistent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..checks import nearest_name
from ..errors import ParameterError, warn_user
from ..sorting import UNIT_IDS, unit_ids_of, validate_sorting
from .names import unit_positions
from .regroup import logged_tree, nodes_of, regrouped

#: Labels that functions of this package and phy give.
USUAL_LABELS = ("good", "mua", "noise", "unsorted", "non_soma", "non_soma_good", "non_soma_mua")
#: From this similarity on, an unusual label is taken for a slip; ``"goods"`` and ``"good"`` have 0.89.
SLIP_RATIO = 0.75


def select_units(sorting: xr.DataTree, unit_ids: Any) -> xr.DataTree:
    """Select units of a sorting, in the given order.

    ``sorting.isel(unit=...)`` cannot do this, because the spikes would keep the numbers of the old order.

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
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(
    ...     rec, spikes={"sample_index": [10, 20, 30], "unit_index": [0, 1, 2]}, units={"label": ["good"] * 3}
    ... )
    >>> few = select_units(sorting, [2, 0])
    >>> few["spikes"]["sample_index"].values.tolist(), few["spikes"]["unit_index"].values.tolist()
    ([10, 30], [1, 0])
    """
    tree = validate_sorting(sorting)
    known = unit_ids_of(tree)
    index = unit_positions(known, unit_ids)
    successor = np.full(len(known), -1, np.int64)
    successor[index] = np.arange(len(index))
    nodes = regrouped(
        nodes_of(tree),
        unit_of_spike=successor[tree["spikes"]["unit_index"].values],
        source=index,
        successor=successor,
        unit_ids=known[index],
    )
    gone = np.setdiff1d(np.arange(len(known)), index)
    return logged_tree(nodes, tree, {"step": "select_units", "removed": known[gone].tolist()})


def relabel_units(
    sorting: xr.DataTree, *, labels: Mapping[Any, str] | None = None, unit_ids: Mapping[Any, Any] | None = None
) -> xr.DataTree:
    """Other labels or other names for some of the units; the log keeps the earlier ones.

    Parameters
    ----------
    sorting
        Any sorting tree.
    labels
        New labels by unit, such as ``{3: "good", 7: "noise"}``. Any word will do; one that is nearly a usual label, or
        one in use, is given with a warning.
    unit_ids
        New names by unit.

    Raises
    ------
    ParameterError
        If a unit does not exist, or two would have one name.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(
    ...     rec, spikes={"sample_index": [10, 20], "unit_index": [0, 1]}, units={"label": ["good"] * 2}
    ... )
    >>> relabel_units(sorting, labels={1: "noise"})["units"]["label"].values.tolist()
    ['good', 'noise']
    """
    tree = validate_sorting(sorting)
    known = unit_ids_of(tree)
    nodes = nodes_of(tree)
    entry: dict[str, Any] = {"step": "relabel_units"}
    for name, given in (("labels", labels), ("unit_ids", unit_ids)):
        if given is not None and not isinstance(given, Mapping):
            raise ParameterError(
                f"{name} is {given!r:.60}; give a dict by unit, such as {{{known.tolist()[0]!r}: 'new'}}"
            )
    if labels:
        index = unit_positions(known, list(labels))
        column = nodes["units"]["label"]
        values = column.values.astype(object)
        _warn_of_slips(labels.values(), known={*USUAL_LABELS, *values.tolist()})
        entry["labels"] = {str(known[k]): str(values[k]) for k in index}
        values[index] = [str(label) for label in labels.values()]
        nodes["units"] = nodes["units"].assign(label=("unit", values.astype(str), column.attrs))
    if unit_ids:
        index = unit_positions(known, list(unit_ids))
        names = known.astype(object)
        names[index] = list(unit_ids.values())
        names = np.array(names.tolist())
        if len(np.unique(names)) < len(names):
            twice = len(names) - len(np.unique(names))
            raise ParameterError(f"unit_ids gives {twice} units a name that another has; give each its own")
        entry["unit_ids"] = {str(names[k]): str(known[k]) for k in index}
        for path in ("units", "templates"):
            if path in nodes:
                nodes[path] = nodes[path].assign_coords(unit_id=("unit", names))
        column = nodes["spikes"]["unit_index"]
        nodes["spikes"] = nodes["spikes"].assign(
            unit_index=("spike", column.values, {**column.attrs, UNIT_IDS: names.tolist()})
        )
    return logged_tree(nodes, tree, entry)


def _warn_of_slips(labels: Iterable[Any], *, known: Iterable[str]) -> None:
    """Warn of labels that are misspellings of known ones, most likely."""
    from difflib import SequenceMatcher

    names = sorted(known)
    for label in sorted({str(label) for label in labels} - set(names)):
        near = nearest_name(label, names)
        if near is not None and SequenceMatcher(None, label.lower(), near.lower()).ratio() >= SLIP_RATIO:
            warn_user(f"relabel_units: {label!r} is no usual label, and the units have it now; did you mean {near!r}?")
