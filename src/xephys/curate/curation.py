"""Decisions about units in SpikeInterface's curation JSON: read any version, apply, write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OutputError, ParameterError
from ..sorting import validate_sorting
from ..typing import PathLike
from .curation_steps import apply_step

_VERSIONS = ("0", "1", "2")


def read_curation(curation: Mapping[str, Any] | Sequence[Any] | PathLike) -> list[dict[str, Any]]:
    """Read the steps of a curation, of any version, as format 2.

    Parameters
    ----------
    curation
        SpikeInterface's curation: a dict of format 2, 1 or 0 (Sortingview's), a sequence of these, a
        ``SequentialCuration`` (``curation_steps``), or the path of a JSON file with one of these.

    Returns
    -------
    One dict per step, with ``format_version``, ``unit_ids``, ``label_definitions``, ``manual_labels``, ``removed``,
    ``merges`` and ``splits``. A dict without a version is of format 0 if it has that format's fields, otherwise of
    format 2.

    Raises
    ------
    ParameterError
        If the version is unknown, or a decision is incomplete.

    Examples
    --------
    >>> (step,) = read_curation({"format_version": "1", "unit_ids": [1, 2, 3], "merge_unit_groups": [[1, 2]]})
    >>> step["merges"]
    [{'unit_ids': [1, 2], 'new_unit_id': None}]
    """
    if isinstance(curation, (str, Path)):
        if not Path(curation).is_file():
            raise FileNotFoundError(f"{curation} is not a file; check the path")
        try:
            curation = json.loads(Path(curation).read_bytes())
        except ValueError as error:
            raise ParameterError(f"{curation} is not whole JSON ({error}); save the curation again") from error
    if isinstance(curation, Mapping) and "curation_steps" in curation:
        curation = curation["curation_steps"]
    if isinstance(curation, Mapping):
        return [_step(curation)]
    if isinstance(curation, Sequence) and all(isinstance(step, Mapping) for step in curation):
        return [_step(step) for step in curation]
    raise ParameterError(f"a curation is a dict, a list of such, or the path of a JSON file, not {curation!r:.80}")


def apply_curation(
    sorting: xr.DataTree, curation: Mapping[str, Any] | Sequence[Any] | PathLike, *, duplicate_ms: float | None = None
) -> xr.DataTree:
    """Apply a curation to a sorting: labels, then removals, merges and splits, step by step.

    Labels refer to the units before merging. In an exclusive category, a merged unit keeps a label that all its members
    have; in other categories, each label that any of them has. Parts keep the labels of their unit. The category
    ``quality`` is the tree's ``label``. Any other exclusive category becomes a column of texts, and each label of a
    non-exclusive one a column of booleans. Units without a new name in the curation get names that have never been
    used.

    Parameters
    ----------
    sorting
        Any sorting tree.
    curation
        Anything that :func:`read_curation` accepts.
    duplicate_ms
        As in :func:`merge_units`; None keeps all spikes, as SpikeInterface does.

    Returns
    -------
    A sorting, with an entry in its log for each decision.

    Raises
    ------
    ParameterError
        If the curation belongs to other units, or a decision does not fit.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 3], sampling_frequency=1000.0)
    >>> curation = {"format_version": "2", "unit_ids": [1, 2, 3], "removed": [3], "merges": [{"unit_ids": [1, 2]}]}
    >>> apply_curation(sorting, curation)["units"]["num_spikes"].values.tolist()
    [2]
    """
    tree = validate_sorting(sorting)
    for step in read_curation(curation):
        tree, _ = apply_step(tree, step, duplicate_ms=duplicate_ms)
    return tree


def save_curation(curation: Mapping[str, Any] | Sequence[Any], path: PathLike) -> None:
    """Write a curation as JSON of format 2, which SpikeInterface and its GUI read.

    Parameters
    ----------
    curation
        Anything that :func:`read_curation` accepts; several steps as a sequence.
    path
        File to be written. It replaces an earlier curation and nothing else.

    Raises
    ------
    OutputError
        If there is something else at the path, or it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_curation({"unit_ids": [1, 2, 3], "removed": [3]}, folder + "/curation.json")
    ...     read_curation(folder + "/curation.json")[0]["removed"]
    [3]
    """
    steps, target = read_curation(curation), Path(path)
    whole = steps[0] if len(steps) == 1 else {"curation_steps": steps}
    text = json.dumps(whole, indent=1, default=lambda value: np.asarray(value).tolist())
    if target.exists() and not _is_curation(target):
        raise OutputError(f"{path} exists and is not a curation; choose another path")
    hidden = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        hidden.write_text(text + "\n", encoding="utf8")
        hidden.replace(target)  # so that the file is either complete or the earlier one
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror}; choose a folder that can be written") from error


def _is_curation(path: Path) -> bool:
    try:
        return bool(read_curation(path))
    except (ParameterError, OSError):
        return False


def _step(given: Mapping[str, Any]) -> dict[str, Any]:
    oldest = "labelsByUnit" in given or "mergeGroups" in given
    version = str(given.get("format_version", "0" if oldest else "2"))
    if version not in _VERSIONS:
        raise ParameterError(f"format_version is {version!r}; {', '.join(_VERSIONS)} are read")
    if version == "0":
        given = _of_sortingview(given)
    step = {
        "format_version": "2",
        "unit_ids": _given_list(given, "unit_ids"),
        "label_definitions": {
            str(name): {
                "name": str(name),
                "label_options": list(one["label_options"]),
                "exclusive": bool(one["exclusive"]),
            }
            for name, one in (given.get("label_definitions") or {}).items()
        },
        "manual_labels": [_labels(one) for one in given.get("manual_labels") or []],
        "removed": list(given.get("removed") or given.get("removed_units") or []),
        "merges": [_merge(one) for one in _merges(given.get("merges") or given.get("merge_unit_groups") or [])],
        "splits": [_split(one) for one in given.get("splits") or []],
    }
    for one in step["manual_labels"]:
        unknown = [name for name in one["labels"] if name not in step["label_definitions"]]
        if unknown:
            raise ParameterError(
                f"unit {one['unit_id']!r} has labels of the category {unknown[0]!r}, which label_definitions does not "
                "define; define it"
            )
    return step


def _given_list(given: Mapping[str, Any], name: str) -> list[Any]:
    if name not in given:
        raise ParameterError(f"the curation has no {name}; it has {', '.join(map(str, given))}")
    return list(given[name])


def _of_sortingview(given: Mapping[str, Any]) -> dict[str, Any]:
    """Format 0: labels by unit, whose names are strings in JSON, and groups to be merged."""
    by_unit, groups = given.get("labelsByUnit", {}), [list(group) for group in given.get("mergeGroups", [])]
    numbers = all(str(unit).lstrip("-").isdigit() for unit in by_unit)
    labels = {int(unit) if numbers else unit: list(values) for unit, values in by_unit.items()}
    options = sorted({label for values in labels.values() for label in values})
    named = {*labels, *(unit for group in groups for unit in group)}
    return {
        "unit_ids": given.get("unit_ids", sorted(named, key=str)),
        "label_definitions": {"all_labels": {"label_options": options, "exclusive": False}} if options else {},
        "manual_labels": [
            {"unit_id": unit, "labels": {"all_labels": values}} for unit, values in labels.items() if values
        ],
        "merges": [{"unit_ids": group} for group in groups],
    }


def _labels(one: Mapping[str, Any]) -> dict[str, Any]:
    labels = one.get("labels", {name: values for name, values in one.items() if name != "unit_id"})
    lists = {name: [values] if isinstance(values, str) else list(values) for name, values in labels.items()}
    return {"unit_id": one["unit_id"], "labels": lists}


def _merges(merges: Any) -> Iterable[Any]:
    if isinstance(merges, Mapping):
        return [{"unit_ids": ids, "new_unit_id": name} for name, ids in merges.items()]
    return list(merges)


def _merge(one: Any) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        one = {"unit_ids": one}
    if len(one.get("unit_ids", ())) < 2:
        raise ParameterError(f"a merge is of {list(one.get('unit_ids', ()))}; it takes two units or more")
    return {"unit_ids": list(one["unit_ids"]), "new_unit_id": one.get("new_unit_id")}


def _split(one: Mapping[str, Any]) -> dict[str, Any]:
    mode = one.get("mode", "indices")
    if mode not in ("indices", "labels") or not one.get(mode):
        raise ParameterError(
            f"the split of unit {one.get('unit_id')!r} has mode {mode!r} and no such list; give indices or labels"
        )
    return {"unit_id": one["unit_id"], "mode": mode, mode: list(one[mode]), "new_unit_ids": one.get("new_unit_ids")}
