"""Save a sorting as one Zarr store that is whole or absent."""

from __future__ import annotations

import xarray as xr

from ...sorting import validate_sorting
from ...typing import PathLike
from .atomic import whole_or_absent


def save_sorting(sorting: xr.DataTree, path: PathLike, *, overwrite: bool = False) -> None:
    """Save a sorting as one Zarr store.

    Parameters
    ----------
    sorting
        A sorting, from :func:`xephys.sort` or :func:`xephys.make_sorting`.
    path
        Folder to be written.
    overwrite
        Replace what is at the path, once the new one is complete.

    Raises
    ------
    OutputError
        If the path exists, or there is not enough space; no partial output is left.

    Examples
    --------
    >>> import tempfile
    >>> import xephys
    >>> sorting = xephys.make_sorting(times_s=[0.5, 1.5, 2.5], labels=[3, 8, 3], sampling_frequency=30_000.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_sorting(sorting, folder + "/sorting.zarr")
    ...     xephys.open_sorting(folder + "/sorting.zarr")["units"]["unit_id"].values.tolist()
    [3, 8]
    """
    validate_sorting(sorting)
    n_bytes = sum(variable.nbytes for node in sorting.subtree for variable in node.variables.values())
    with whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes // 4) as hidden:
        sorting.load().to_zarr(str(hidden), mode="w-", consolidated=False)
