"""Convert a sorting to a pynapple group of timestamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ...sorting import unit_ids_of
from ...typing import PathLike
from ..store.atomic import ending_with, whole_or_absent
from .complete import by_unit, columns_by_unit, completed, intervals_s, text_of, times_on_one_axis
from .optional import needed


def to_pynapple(sorting: xr.DataTree) -> Any:
    """Convert a sorting to a ``pynapple.TsGroup``: the spikes of each unit in seconds, and one metadata column per
    metric.

    Units are numbered by ``unit_id`` if that is a number, otherwise by their position; ``unit_name`` has the names. The
    time support is the sorted range.

    Parameters
    ----------
    sorting
        Any sorting; metrics of its analysis are included as columns.

    Raises
    ------
    ImportError
        If pynapple is not installed.

    Examples
    --------
    >>> import pytest, xephys
    >>> _ = pytest.importorskip("pynapple")
    >>> sorting = xephys.make_sorting(times_s=[0.5, 1.5, 2.5], labels=[3, 8, 3], sampling_frequency=30_000.0)
    >>> to_pynapple(sorting)[3].times().tolist()
    [0.5, 2.5]
    """
    pynapple = needed("pynapple", extra="pynapple", what="to_pynapple")
    tree, _ = completed(sorting)
    times = times_on_one_axis(tree)
    order, ends = by_unit(tree, times)
    ids = np.asarray(unit_ids_of(tree))
    numbers = ids if ids.dtype.kind in "iu" else np.arange(len(ids))
    spans = intervals_s(tree)
    columns = columns_by_unit(tree["units"].dataset, without={"num_spikes", "firing_rate"})
    metadata: dict[str, Any] = {"unit_name": np.array(text_of(ids), str)}
    metadata |= {_free(name): column.values for name, column in columns.items()}
    trains = np.split(times[order], ends[:-1])
    return pynapple.TsGroup(
        {int(number): pynapple.Ts(train) for number, train in zip(numbers.tolist(), trains, strict=True)},
        time_support=pynapple.IntervalSet(start=spans[:, 0], end=spans[:, 1]),
        metadata=metadata,
    )


def export_pynapple(sorting: xr.DataTree, path: PathLike, *, overwrite: bool = False) -> None:
    """Write the result of :func:`to_pynapple` as the ``.npz`` file that ``pynapple.load_file`` opens.

    Parameters
    ----------
    sorting
        Any sorting.
    path
        File to be written, ``.npz``.
    overwrite
        Replace what is at the path, once the new file is complete.

    Raises
    ------
    ImportError
        If pynapple is not installed.
    OutputError
        If the file exists.
    """
    group = to_pynapple(sorting)
    with whole_or_absent(path, overwrite=overwrite) as hidden, ending_with(hidden, ".npz") as named:
        group.save(str(named))


def _free(name: str) -> str:
    """A name that pynapple does not use itself."""
    return f"{name}_" if name in ("rate", "index") else name
