"""Collect what is known of each unit as columns: from the tree, its stored analysis, and given tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..analysis.results import KEY, current_results
from ..errors import ParameterError
from ..sorting import unit_ids_of

#: Extensions whose columns are metrics.
TABLES = ("quality_metrics", "template_metrics")


def unit_columns(
    sorting: xr.DataTree, metrics: xr.Dataset | Sequence[xr.Dataset] | None = None
) -> dict[str, NDArray[Any]]:
    """Columns of all units by name, in the order of the units.

    Parameters
    ----------
    sorting
        A valid sorting tree.
    Tables with ``unit_id``, as returned by :func:`xephys.compute_quality_metrics`, or data frames with the names of the
    units as index. Their columns override those of the stored analysis, which override those of the tree.

    Raises
    ------
    ParameterError
        If a table is of other units, or stored metrics belong to other spikes than the sorting has now.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 20, 30], labels=[1, 2, 2], sampling_frequency=1000.0)
    >>> unit_columns(sorting)["num_spikes"].tolist()
    [1, 2]
    """
    ids = unit_ids_of(sorting)
    own = sorting["units"].to_dataset(inherit=False)
    columns = {str(name): column.values for name, column in own.data_vars.items() if column.dims == ("unit",)}
    stored = current_results(sorting)
    for name in TABLES:
        if name in stored:
            columns |= {
                str(key): column.values
                for key, column in stored[name].data_vars.items()
                if column.dims == ("unit",) and key not in (KEY, "neighborhood_key")
            }
    given = [] if metrics is None else [metrics] if not isinstance(metrics, (list, tuple)) else list(metrics)
    for table in given:
        columns |= _columns_of(table, ids)
    return columns


def _columns_of(table: Any, ids: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Columns of a table in the order of the units."""
    if isinstance(table, xr.Dataset):
        if "unit_id" not in table.coords:
            raise ParameterError("metrics have no coordinate unit_id; give what compute_quality_metrics returns")
        known = table["unit_id"].values
        columns = {str(name): column.values for name, column in table.data_vars.items() if column.ndim == 1}
    elif hasattr(table, "columns") and hasattr(table, "index"):
        known = table.index.to_numpy()
        columns = {str(name): table[name].to_numpy() for name in table.columns}
    else:
        raise TypeError(f"metrics are a Dataset, a data frame, or several of them, not {type(table).__name__}")
    place = {unit: row for row, unit in enumerate(known.tolist())}
    missing = [unit for unit in ids.tolist() if unit not in place]
    if missing:
        raise ParameterError(
            f"metrics have no row of unit {missing[0]!r} ({len(missing)} of {len(ids)} units are missing); compute "
            "them of this sorting"
        )
    rows = np.array([place[unit] for unit in ids.tolist()], np.int64)
    return {name: values[rows] for name, values in columns.items()}
