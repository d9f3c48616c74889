"""Names of units: look them up, check them, and make new ones that have never been used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..sorting import unit_ids_of


def unit_positions(known: NDArray[Any], unit_ids: Any) -> NDArray[np.int64]:
    """Positions of units by their names.

    Raises
    ------
    ParameterError
        If a unit does not exist or is given twice, or a list is given in place of a name.

    Examples
    --------
    >>> unit_positions(np.array([7, 17, 27]), [27, 7]).tolist()
    [2, 0]
    """
    place = {unit: k for k, unit in enumerate(known.tolist())}
    wanted = np.atleast_1d(np.asarray(unit_ids, dtype=object)).tolist()
    if any(isinstance(unit, (bool, np.bool_)) for unit in wanted):
        raise ParameterError(
            "True and False are given; give names of units, such as sorting['units'].unit_id.values[mask]"
        )
    nested = [unit for unit in wanted if isinstance(unit, (list, tuple, np.ndarray, dict, slice, set))]
    if nested:
        kind = type(nested[0]).__name__
        raise ParameterError(f"units hold {nested[0]!r}, a {kind}; give one flat list of names for each group")
    missing = [unit for unit in wanted if unit not in place]
    if missing:
        raise ParameterError(
            f"there is no unit {', '.join(map(repr, missing[:8]))}; the {len(known)} units are "
            f"{', '.join(map(repr, known.tolist()[:8]))}{', …' if len(known) > 8 else ''}"
        )
    if len(set(wanted)) < len(wanted):
        raise ParameterError(f"{len(wanted)} units are given, {len(set(wanted))} different; give each wanted one once")
    return np.array([place[unit] for unit in wanted], np.int64)


def check_new_ids(known: NDArray[Any], new_ids: list[Any], *, taken: list[Any]) -> list[Any]:
    """New names as plain values, after checking that they are distinct, free, and of the same kind as the others.

    Raises
    ------
    ParameterError
        If they are not.
    """
    plain = [value.item() if isinstance(value, np.generic) else value for value in new_ids]
    kinds = {True: (int, "integers"), False: (str, "texts")}
    kind, called = kinds[known.dtype.kind in "iu"]
    wrong = [name for name in plain if isinstance(name, bool) or not isinstance(name, kind)]
    if wrong:
        raise ParameterError(
            f"the new name {wrong[0]!r} is not of the kind of the others: the units of this sorting are named by "
            f"{called}; give one of these, or rename all units first (relabel_units)"
        )
    for name in plain:
        if name in taken or plain.count(name) > 1:
            raise ParameterError(f"the new name {name!r} is that of another unit; give a name that is free")
    return plain


def unused_ids(sorting: xr.DataTree, n: int, *, stem: Any) -> list[Any]:
    """Names that no unit of the sorting has or, according to its log, had: the next integers, or ``stem`` with a
    number.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(
    ...     rec, spikes={"sample_index": [10], "unit_index": [0]}, units={"label": ["good"] * 2}, unit_ids=[3, 8]
    ... )
    >>> unused_ids(sorting, 2, stem=3)
    [9, 10]
    """
    known = unit_ids_of(sorting)
    used = {*known.tolist(), *_earlier_ids(sorting)}
    if known.dtype.kind in "iu":
        first = 1 + max((name for name in used if isinstance(name, int)), default=-1)
        return list(range(first, first + n))
    numbered = (f"{stem}-{k}" for k in range(1, n + len(used) + 1))
    return [name for name in numbered if name not in used][:n]


def _earlier_ids(sorting: xr.DataTree) -> Iterator[Any]:
    """Names of units that were removed, merged, split or renamed in curation."""
    for entry in json.loads(sorting.attrs.get("log", "[]")):
        if entry.get("step") in ("select_units", "merge_units", "split_unit"):
            yield from entry["removed"]
        elif entry.get("step") == "relabel_units":
            yield from (int(name) if name.isdigit() else name for name in entry.get("unit_ids", {}).values())
