"""The table of metrics, one row each, from which ``/units``, its empty form and the documentation are generated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice
from ..schema import UNIT_VARIABLES, Variable
from .facts import UnitFacts
from .spike_trains import contamination, firing_rate, num_spikes
from .waveforms import amplitude, snr


class Metric(NamedTuple):
    """A row: a function that computes one value per unit, its column, and the fields of :class:`UnitFacts` it needs."""

    compute: Callable[[UnitFacts], NDArray[Any]]
    column: Variable
    needs: tuple[str, ...]


def _row(compute: Callable[[UnitFacts], NDArray[Any]], kind: str, units: str, doc: str, *needs: str) -> Metric:
    return Metric(compute, Variable(compute.__name__, ("unit",), kind, units, doc), needs)


#: Every metric, by the name of its column.
METRICS: dict[str, Metric] = {
    row.column.name: row
    for row in (
        _row(num_spikes, "i8", "", "number of spikes", "unit_index"),
        _row(firing_rate, "f8", "Hz", "spikes per second of the recording", "unit_index", "n_samples"),
        _row(amplitude, "f4", "uV", "largest absolute value of the mean waveform", "amplitude"),
        _row(snr, "f8", "", "amplitude over the noise level of the peak channel", "amplitude", "noise"),
        _row(
            contamination, "f8", "", "share of spikes from elsewhere, by refractory violations within 1.5 ms; NaN for "
            "fewer than two spikes", "sample_index", "unit_index", "n_samples",
        ),
    )
}  # fmt: skip


def compute_columns(facts: UnitFacts, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Columns of ``/units`` by name.

    Parameters
    ----------
    facts
        Spikes and sizes of the units.
    names
        Names of the metrics; None for all.

    Raises
    ------
    ParameterError
        If a name is not a metric.

    Examples
    --------
    >>> facts = UnitFacts(
    ...     sample_index=np.array([10, 20, 30]), unit_index=np.array([0, 1, 0]), n_units=2, n_samples=30_000,
    ...     sampling_frequency=30_000.0, amplitude=np.array([80.0, 60.0]), noise=np.array([10.0, 10.0]))
    >>> columns = compute_columns(facts, ["num_spikes", "snr"])
    >>> columns["num_spikes"].tolist(), columns["snr"].tolist()
    ([2, 1], [8.0, 6.0])
    """
    columns = {}
    for name in METRICS if names is None else names:
        check_choice("metric", name, METRICS)
        columns[name] = METRICS[name].compute(facts)
    return columns


def unit_variables() -> dict[str, Variable]:
    """Every declared column of ``/units``: descriptions of the units, and their metrics."""
    return {**UNIT_VARIABLES, **{name: metric.column for name, metric in METRICS.items()}}


def empty_columns(variables: Mapping[str, Variable]) -> dict[str, NDArray[Any]]:
    """The columns of a table without rows, with their types.

    Examples
    --------
    >>> empty_columns(unit_variables())["snr"].dtype
    dtype('float64')
    """
    return {name: np.empty(0, variable.kind) for name, variable in variables.items()}
