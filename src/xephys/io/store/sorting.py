"""Sortings on disk: one Zarr store, whole or absent."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ...errors import RecordingError
from ...sorting import validate_sorting
from ...typing import PathLike
from ..read.trust import check_zarr
from .atomic import whole_or_absent


def save_sorting(sorting: xr.DataTree, path: PathLike, *, overwrite: bool = False) -> None:
    """Save a sorting as one Zarr store.

    Parameters
    ----------
    sorting
        As :func:`xephys.sort` or :func:`xephys.sorting.build_sorting` gives it.
    path
        Folder to be written.
    overwrite
        Replace what is at the path, once the new one is whole.

    Raises
    ------
    OutputError
        If the path exists, or there is not enough space; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((300, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(rec, spikes={"sample_index": [90], "unit_index": [0]}, units={"label": ["good"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_sorting(sorting, Path(folder) / "sorting.zarr")
    ...     open_sorting(Path(folder) / "sorting.zarr")["units"]["label"].values.tolist()
    ['good']
    """
    validate_sorting(sorting)
    n_bytes = sum(variable.nbytes for node in sorting.subtree for variable in node.variables.values())
    with whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes // 4) as hidden:
        sorting.load().to_zarr(str(hidden), mode="w-", consolidated=False)


def open_sorting(path: PathLike) -> xr.DataTree:
    """Open a sorting that :func:`save_sorting` wrote, in memory.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    RecordingError
        If it is no sorting, or holds pickles.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"{place.absolute()} does not exist; check the path")
    stored = any((place / name).is_file() for name in (".zgroup", "zarr.json")) and (place / "spikes").is_dir()
    if not stored:
        raise RecordingError(f"{place} is no sorting: it is not a Zarr store with spikes; see save_sorting")
    check_zarr(place)
    with xr.open_datatree(place, engine="zarr", consolidated=False) as tree:
        return validate_sorting(tree.load())
