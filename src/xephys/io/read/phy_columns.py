"""Read the properties of clusters in a phy folder: ``cluster_*.tsv``, and phy's own table ``cluster_info``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Columns that phy computes for ``cluster_info``, and columns with the names of clusters.
_DERIVED = {"id", "cluster_id", "n_spikes", "ch", "depth", "fr", "amp", "sh"}


def cluster_columns(folder: Path, clusters: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Values of some clusters by column, in the narrowest type that fits.

    Parameters
    ----------
    folder
        Folder with files ``*.tsv`` or ``*.csv`` that have a column ``cluster_id``.
    clusters
        Numbers of the clusters, in the desired order.

    Returns
    -------
    Integers, floats (NaN where a cluster has no value), booleans or strings (empty where there is none).
    """
    written: dict[str, dict[int, str]] = {}
    for path in _files(folder):
        info = path.stem == "cluster_info"
        for name, values in _read(path).items():
            if info and name in _DERIVED:
                continue
            known = written.setdefault(name, {})
            # phy's own table comes last, so that a separate file overrides it.
            known.update({k: v for k, v in values.items() if k not in known or not info})
    return {
        name: _typed([values.get(k, "") for k in clusters], given=[value for value in values.values() if value])
        for name, values in written.items()
    }


def listed_clusters(folder: Path) -> set[int]:
    """Every cluster that any file names."""
    return {k for path in _files(folder) for values in _read(path).values() for k in values}


def _files(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".tsv", ".csv") and path.is_file()]
    return sorted(files, key=lambda path: path.stem == "cluster_info")


def _read(path: Path) -> dict[str, dict[int, str]]:
    """Strings by column and cluster."""
    text = path.read_text(encoding="utf8", errors="replace").replace("\x00", "")
    rows = list(csv.reader(text.splitlines(), delimiter="\t" if path.suffix == ".tsv" else ","))
    if not rows:
        return {}
    header = [name.strip() for name in rows[0]]
    key = next((header.index(name) for name in ("cluster_id", "id") if name in header), None)
    if key is None:
        return {}
    return {
        name: {int(k): value.strip() for k, value in _pairs(rows[1:], key, place)}
        for place, name in enumerate(header)
        if place != key and name
    }


def _pairs(rows: Sequence[Sequence[str]], key: int, place: int) -> Iterator[tuple[float, str]]:
    for row in rows:
        if len(row) > max(key, place):
            try:
                yield float(row[key]), row[place]
            except ValueError:  # not a row of numbers
                continue


def _typed(values: list[str], *, given: list[str]) -> NDArray[Any]:
    """Strings converted to the narrowest type that holds the values of all clusters."""
    if given and set(given) <= {"True", "False"} and all(values):
        return np.array([value == "True" for value in values])
    if not given or not all(_is_number(value) for value in given):
        return np.array(values, str)
    if all(values) and all(value.lstrip("+-").isdigit() for value in given):
        return np.array([int(value) for value in values], np.int64)
    return np.array([float(value) if value else np.nan for value in values], np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unit_names(folder: Path, clusters: Sequence[int]) -> NDArray[Any]:
    """Names of the units: exported names that are still unique, and new names for the rest.

    phy copies the properties of a cluster to its parts, so a name that occurs twice belongs to neither. A new name is
    phy's own number where all exported names are such, otherwise one that no cluster of the folder has ever had.
    """
    everyone = sorted({*listed_clusters(folder), *clusters})
    columns = cluster_columns(folder, everyone)
    current = np.isin(everyone, clusters)
    if "si_unit_id" in columns and columns["si_unit_id"].dtype.kind in "if":
        known = columns["si_unit_id"].astype(np.float64)
        numbers = np.where(_single(known) & np.isfinite(known), np.nan_to_num(known), -1).astype(np.int64)
        new = np.flatnonzero((numbers < 0) & current)
        are_own = np.array_equal(numbers[numbers >= 0], np.asarray(everyone)[numbers >= 0])
        numbers[new] = np.asarray(everyone)[new] if are_own else int(np.nanmax(known)) + 1 + np.arange(len(new))
        return numbers[current]
    if "unit_name" in columns:
        texts = columns["unit_name"].astype(str)
        own = np.where(_single(texts) & (texts != ""), texts, [f"cluster {k}" for k in everyone])[current]
        return own if len(np.unique(own)) == len(own) else np.array([f"cluster {k}" for k in clusters])
    return np.asarray(clusters, np.int64)


def _single(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values occur exactly once."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[place.ravel()] == 1)
