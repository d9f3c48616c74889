"""dartsort's arrays of a sorting from a sorting of this package, and as tables and spike trains of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.export.optional import needed

#: Column of the localizations and the names of its parts.
LOCALIZATIONS = "point_source_localizations"
PLACES = ("x", "y", "z")
#: Length of the time support of a single spike.
SHORTEST_S = 1e-3


def arrays_of_tree(sorting: xr.DataTree) -> dict[str, Any]:
    """Arguments of a :class:`xephys.dartsort.DARTsortSorting`, with places and amplitudes as features.

    Raises
    ------
    ParameterError
        If the channels of the units are not known.
    """
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    if "channel_index" not in units:
        raise ParameterError("this sorting does not know the channels of its units; give one that a sort returned")
    labels = spikes["unit_index"].values
    channels = units["channel_index"].values[labels] if len(labels) else labels
    features = {"scalings": spikes["amplitude"].values} if "amplitude" in spikes else {}
    if "x" in spikes and "y" in spikes:
        depth = spikes["z"].values if "z" in spikes else np.zeros(len(labels))
        # Here y runs along the probe; in that column the last number does.
        features[LOCALIZATIONS] = np.stack([spikes["x"].values, depth, spikes["y"].values], axis=1).astype("f4")
    return {
        "times_samples": spikes["sample_index"].values,
        "channels": channels,
        "labels": labels,
        "sampling_frequency": float(sorting.attrs["sampling_frequency"]),
        "ephemeral_features": features,
    }


def numpy_sorting(times_samples: NDArray[np.int64], labels: NDArray[np.int64], sampling_frequency: float) -> Any:
    """A ``NumpySorting`` of SpikeInterface."""
    from spikeinterface.core import NumpySorting

    return NumpySorting.from_samples_and_labels([times_samples], [labels], sampling_frequency)


def data_frame(
    columns: Mapping[str, NDArray[Any]], features: Mapping[str, NDArray[Any]], *, numbers: bool, places: bool
) -> Any:
    """One row per spike: the columns, then features of one ``numbers`` each, then the three parts of the ``places``."""
    import pandas as pd  # type: ignore[import-untyped]

    table: dict[str, Any] = dict(columns)
    if numbers:
        table |= {name: values for name, values in features.items() if values.ndim == 1}
    if places and LOCALIZATIONS in features:
        table |= dict(zip(PLACES, features[LOCALIZATIONS].T, strict=False))
    return pd.DataFrame(table)


def ts_group(
    times_s: NDArray[np.float64],
    labels: NDArray[np.int64],
    features: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, Any],
    *,
    with_means: bool,
    weight_key: str,
) -> Any:
    """A ``pynapple.TsGroup`` of labelled spikes: a train per unit, and the mean of each feature as a column.

    Raises
    ------
    ImportError
        If pynapple is not installed.
    """
    pynapple = needed("pynapple", extra="pynapple", what="DARTsortSorting.to_tsgroup")
    ids, at = np.unique(labels, return_inverse=True)
    # By itself, pynapple takes the time between the first and the last spike of any unit, and drops spikes outside.
    first, last = (times_s.min(), times_s.max()) if len(times_s) else (0.0, 0.0)
    support = pynapple.IntervalSet(first, max(last, first + SHORTEST_S))
    if not len(ids):
        return pynapple.TsGroup({}, time_support=support)
    order, count = np.argsort(labels, kind="stable"), np.bincount(at, minlength=len(ids))
    ends = np.cumsum(count)[:-1]
    times = np.split(times_s[order], ends)
    if weight_key in features:
        weights = np.split(features[weight_key][order], ends)
        trains = [pynapple.Tsd(t=t, d=w, time_support=support) for t, w in zip(times, weights, strict=True)]
    else:
        trains = [pynapple.Ts(t, time_support=support) for t in times]
    columns = dict(metadata)
    if with_means:
        columns |= {
            f"mean_{name}": np.bincount(at, weights=values, minlength=len(ids)) / count
            for name, values in features.items()
            if values.ndim == 1 and values.dtype.kind in "fiu" and name != "times_seconds"
        }
    trains_of = dict(zip(ids.tolist(), trains, strict=True))
    return pynapple.TsGroup(trains_of, time_support=support, metadata=columns)
