"""Metrics of units as one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from ..checks import check_passed_on
from ..sorting import unit_ids_of
from .results import NODE, columns_of
from .run import analyze


def compute_quality_metrics(
    sorting: xr.DataTree,
    recording: xr.DataArray | xr.DataTree,
    names: Iterable[str] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Quality metrics of all units, by SpikeInterface's names. Computes.

    Everything that the wanted metrics need is read from the recording in one pass, see :func:`xephys.analyze`; results
    already stored on ``sorting`` are reused.

    Parameters
    ----------
    sorting
        Any sorting tree.
    recording
        The recording that was sorted, after filtering.
    names
        Metrics, or columns, such as ``["snr", "isi_violations_ratio"]``; all but ``nn_advanced`` if None. See
        :func:`quality_metric_names`.
    **settings
        As for :func:`xephys.analyze`: ``parameters``, ``ms_before``, ``ms_after``, ``n_spikes_max``, ``seed``.

    Returns
    -------
    Dataset with dim ``unit``, coordinate ``unit_id`` and one variable per column; ``.to_dataframe()`` returns
    SpikeInterface's data frame. To store it with the sorting, use ``analyze(sorting, recording, ["quality_metrics"])``.

    Raises
    ------
    ParameterError
        If a name is not a metric.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> metrics = compute_quality_metrics(truth_sorting(recording, truth), recording, ["num_spikes", "snr"])
    >>> list(metrics.data_vars), bool((metrics["snr"] > 3).all())
    (['num_spikes', 'snr'], True)
    """
    wanted = None if names is None else list(_named(names))
    check_passed_on(settings, analyze, what="compute_quality_metrics", without=("extensions",))
    given = settings.pop("parameters", None) or {}
    parameters = {**given, "quality_metrics": {**given.get("quality_metrics", {}), "names": wanted}}
    tree = analyze(sorting, recording, ["quality_metrics"], parameters=parameters, **settings)
    return _table(tree, "quality_metrics")


def compute_template_metrics(
    sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree, **settings: Any
) -> xr.Dataset:
    """Shapes of the units' templates, by SpikeInterface's names: durations, slopes, ratios, velocities. Computes.

    Parameters
    ----------
    sorting, recording, **settings
        As for :func:`compute_quality_metrics`.

    Returns
    -------
    Dataset with dim ``unit``, coordinate ``unit_id`` and one variable per column. Columns that need several channels
    are NaN if there are too few.

    Examples
    --------
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> metrics = compute_template_metrics(truth_sorting(recording, truth), recording)
    >>> metrics["peak_to_trough_duration"].attrs["units"]
    's'
    """
    check_passed_on(settings, analyze, what="compute_template_metrics", without=("extensions",))
    return _table(analyze(sorting, recording, ["template_metrics"], **settings), "template_metrics")


def quality_metric_names() -> list[str]:
    """Names of all quality metrics.

    Examples
    --------
    >>> "presence_ratio" in quality_metric_names()
    True
    """
    from .quality import QUALITY_METRICS

    return list(QUALITY_METRICS)


def template_metric_names() -> list[str]:
    """Names of the columns of all template metrics.

    Examples
    --------
    >>> "repolarization_slope" in template_metric_names()
    True
    """
    from ..kernels.metrics import template_shape, template_spread

    return [*template_shape.COLUMNS, *template_spread.COLUMNS]


def _named(names: Iterable[str]) -> Iterable[str]:
    return [names] if isinstance(names, str) else names


def _table(tree: xr.DataTree, name: str) -> xr.Dataset:
    node = tree[f"{NODE}/{name}"].to_dataset(inherit=False)
    return columns_of(node).assign_coords(unit_id=("unit", np.asarray(unit_ids_of(tree))))
