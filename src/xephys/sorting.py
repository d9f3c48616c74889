"""A sorting: one tree of spikes, units and templates, with the recording's axes and the parameters that made it.

``/spikes`` (dim ``spike``), ``/units`` (dim ``unit``), ``/templates`` (dims ``unit, sample, channel``), and
``/learned``, from which another recording can be sorted; provenance is in the attributes of the root. The
``unit_index`` of a spike is a position along ``unit``; ``unit_id`` is a name that stays valid when other units are
removed.

``sample_index`` counts from the start of the segment even if only a part was sorted; attributes ``first_sample`` and
``n_samples`` give that part. ``time`` is in seconds on the recording's clock, where sample 0 is at ``start_s``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import xarray as xr

from .errors import ParameterError
from .kernels.lib.records import row_blocks
from .metrics.table import unit_variables
from .recording.axes import SegmentAxes
from .schema import SPIKE_VARIABLES, Variable
from .templates.node import templates_node

#: Columns that are always stored in their declared type.
_SPIKE_COLUMNS = {
    **SPIKE_VARIABLES,
    "z": Variable("z", ("spike",), "f4", "um", "third coordinate of the spike's place"),
}
#: Attribute of the spikes' ``unit_index``: the unit names to which the numbers refer.
UNIT_IDS = "unit_ids"
_INDEX_COLUMNS = ("channel_index", "num_spikes")


def build_sorting(
    recording: xr.DataArray | xr.DataTree | SegmentAxes,
    *,
    spikes: Mapping[str, Any],
    units: Mapping[str, Any],
    templates: Any = None,
    nbefore: int = 0,
    unit_ids: Any = None,
    motion: xr.Dataset | None = None,
    learned: Mapping[str, xr.Dataset] | None = None,
    preset: str = "",
    parameters: Mapping[str, Any] | None = None,
    log: Sequence[Mapping[str, Any]] = (),
    copy: bool = True,
) -> xr.DataTree:
    """Build a sorting, checking that its parts fit together.

    Parameters
    ----------
    recording
        The recording that was sorted, or just its axes; only its description is read, not its traces.
    spikes
        Values per spike, by name: at least ``sample_index`` (from the start of the segment, like peaks, even if the
        recording is a part) and ``unit_index``; optionally ``segment_index``, ``amplitude`` (µV), ``scale``, ``x``,
        ``y`` (µm) and anything else. Spikes are sorted here by segment and sample, stably, and ``time`` is added.
    units
        Values per unit, by name: ``label``, ``channel_index``, ``x``, ``y`` (µm), quality columns. ``num_spikes`` and
        ``firing_rate`` (Hz) are computed here if they are missing.
    templates
        Mean waveforms ``(unit, sample, channel)`` in µV.
    nbefore
        Samples of a template before the spike's ``sample_index``.
    unit_ids
        Names of the units; 0 to n - 1 if None.
    motion
        How the tissue moved, if it was estimated.
    learned
        Other learned datasets by name, for the node ``/learned``: see ``xephys.schema.SORTING_NODES``.
    preset, parameters, log
        Provenance: the sorter, its parameters, and its decisions, such as merges. Stored as JSON.
    copy
        If not, the sorting holds the given values per spike themselves where they have its types and are in order.

    Raises
    ------
    ParameterError
        If lengths disagree, or if a spike lies outside the recording or refers to a missing unit.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> rec = make_recording(np.zeros((30_000, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(
    ...     rec, spikes={"sample_index": [90, 30], "unit_index": [0, 1]}, units={"label": ["good", "mua"]}
    ... )
    >>> sorting["spikes"]["sample_index"].values.tolist(), sorting["units"]["num_spikes"].values.tolist()
    ([30, 90], [1, 1])
    """
    axes = recording if isinstance(recording, SegmentAxes) else SegmentAxes.of(recording)
    unit_values = {name: np.asarray(values) for name, values in units.items()}
    n_units = len(next(iter(unit_values.values()), [] if unit_ids is None else unit_ids))
    table = _spike_table(spikes, n_units=n_units, axes=axes, copy=copy)
    table["time"] = axes.times_s(table["segment_index"], table["sample_index"])
    _check_lengths("unit", unit_values, n_units)
    unit_values.setdefault("label", np.full(n_units, "unsorted"))
    unit_values["num_spikes"] = np.bincount(table["unit_index"], minlength=n_units)
    unit_values.setdefault("firing_rate", unit_values["num_spikes"] * axes.sampling_frequency / _length(axes, table))
    ids = np.arange(n_units) if unit_ids is None else np.asarray(unit_ids)
    if len(ids) != n_units or len(np.unique(ids)) != n_units:
        raise ParameterError(f"{len(ids)} unit_ids, {len(np.unique(ids))} of them different, for {n_units} units")
    nodes = {
        "spikes": _dataset("spike", table, _SPIKE_COLUMNS, typed=tuple(_SPIKE_COLUMNS)),
        "units": _dataset("unit", unit_values, unit_variables(), typed=_INDEX_COLUMNS).assign_coords(
            unit_id=("unit", ids)
        ),
    }
    if templates is not None:
        nodes["templates"] = templates_node(templates, axes.channels, ids, nbefore, axes.sampling_frequency)
    if motion is not None:
        nodes["motion"] = motion
    nodes.update({f"learned/{name}": dataset for name, dataset in (learned or {}).items()})
    nodes["spikes"]["unit_index"].attrs[UNIT_IDS] = ids.tolist()
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs = {
        "sampling_frequency": axes.sampling_frequency,
        **axes.attributes,
        "version": _version(),
        "preset": preset,
        "parameters": json.dumps(dict(parameters or {}), default=plain_value, sort_keys=True),
        "fingerprint": axes.fingerprint,
        "log": json.dumps(list(log), default=plain_value),
    }
    return tree


def validate_sorting(sorting: Any) -> xr.DataTree:
    """Check that an object is a sorting tree.

    Raises
    ------
    TypeError
        If it is not a DataTree.
    ParameterError
        If spikes or units are missing, or contradict each other.
    """
    if not isinstance(sorting, xr.DataTree):
        raise TypeError(f"expected a sorting (xarray.DataTree), got {type(sorting).__name__}; see open_sorting")
    for node, variable in (("spikes", "sample_index"), ("spikes", "unit_index"), ("units", "label")):
        if node not in sorting.children or variable not in sorting[node].dataset:
            raise ParameterError(
                f"this tree has no {node}/{variable}; a sorting has spikes and units, see make_sorting"
            )
    rate = sorting.attrs.get("sampling_frequency")
    if not isinstance(rate, (int, float, np.number)) or not 0 < rate < np.inf:
        raise ParameterError(f"the sorting's attribute 'sampling_frequency' is {rate!r}; set it to the rate in hertz")
    ids = unit_ids_of(sorting).tolist()
    known = list(sorting["spikes"]["unit_index"].attrs.get(UNIT_IDS, ids))
    if known != ids and sorting["spikes"].sizes.get("spike"):
        raise ParameterError(
            f"the spikes belong to other units, or in another order, than the {len(ids)} of this tree; choose, order "
            "and rename units with select_units and relabel_units, not with isel or sel: those leave the spikes as "
            "they are"
        )
    for name in ("sample_index", "unit_index", "segment_index"):
        column = sorting["spikes"].dataset.get(name)
        if column is not None and column.size and column.dtype.kind not in "iu":
            raise ParameterError(f"{name} holds {column.dtype} values; give whole numbers, such as .astype('int64')")
    unit_index = sorting["spikes"].dataset["unit_index"].values
    if len(unit_index) and not 0 <= unit_index.min() <= unit_index.max() < len(ids):
        raise ParameterError(
            f"spikes belong to units {unit_index.min()} to {unit_index.max()} and there are {len(ids)}, counted from 0"
        )
    _check_spikes(sorting, unit_index)
    templates = sorting.children.get("templates")
    if templates is not None and templates.sizes.get("unit", len(ids)) != len(ids):
        raise ParameterError(
            f"there are {templates.sizes['unit']} templates and {len(ids)} units; choose units with select_units"
        )
    return sorting


def _check_spikes(sorting: xr.DataTree, unit_index: Any) -> None:
    """Check that the spikes are those that the units were made of, in order of segment and sample."""
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    counts = np.bincount(unit_index, minlength=units.sizes["unit"])
    known = units["num_spikes"].values if "num_spikes" in units else counts
    remedy = "take a part of a sorting with select_period, select_segments or select_units, not with isel or sel"
    if not np.array_equal(known, counts):
        unit = int(np.argmax(known != counts))
        raise ParameterError(
            f"unit {unit_ids_of(sorting)[unit]} has {counts[unit]} spikes, and num_spikes is {known[unit]}; {remedy}, "
            "or make a sorting of the spikes that are left with make_sorting"
        )
    _check_places(sorting)
    step = np.diff(spikes["sample_index"].values.astype(np.int64))
    if (step < 0).any() and (step[np.diff(_segment_index(spikes)) == 0] < 0).any():
        raise ParameterError(f"the spikes are not in the order of their samples; {remedy}")


def _check_places(sorting: xr.DataTree) -> None:
    """Check that every spike lies in what was sorted."""
    samples, segments = sorting["spikes"]["sample_index"].values, _segment_index(sorting["spikes"].dataset)
    lengths = samples_per_segment(sorting)
    if len(samples) and not 0 <= segments.min() <= segments.max() < len(lengths):
        raise ParameterError(
            f"spikes lie in segments {segments.min()} to {segments.max()}, and the sorting has {len(lengths)}, counted "
            "from 0; join sortings with append_sortings"
        )
    first = np.asarray(first_samples(sorting), np.int64)[segments]
    stop = np.asarray(lengths, np.int64)[segments] + (first if "n_samples" in sorting.attrs else 0)
    outside = np.flatnonzero((samples < first) | (samples >= stop))
    if len(outside):
        one = outside[0]
        raise ParameterError(
            f"{len(outside)} spikes lie outside what was sorted, the first at sample {samples[one]} where samples "
            f"{first[one]} to {stop[one] - 1} were sorted; correct them, or take a part with select_period"
        )


def unit_ids_of(sorting: xr.DataTree) -> Any:
    """Names of the units in their order, or their numbers if they have no names."""
    units = sorting["units"].dataset
    return units.coords["unit_id"].values if "unit_id" in units.coords else np.arange(units.sizes["unit"])


def first_samples(sorting: xr.DataTree) -> list[int]:
    """Number of the first sorted sample of each segment; 0 unless only a part was sorted."""
    known = sorting.attrs.get("first_sample", 0)
    firsts = [int(n) for n in np.atleast_1d(known)]
    return firsts if len(firsts) > 1 else firsts * len(samples_per_segment(sorting))


def segment_starts_s(sorting: xr.DataTree) -> list[float | None]:
    """Time of sample 0 of each segment on the recording's clock; None where the recording has no times."""
    n = len(samples_per_segment(sorting))
    known = sorting.attrs.get("start_s")
    starts = np.full(n, np.nan) if known is None else np.broadcast_to(np.asarray(known, np.float64), n)
    return [None if np.isnan(start) else float(start) for start in starts]


def samples_in_part(sorting: xr.DataTree) -> Any:
    """Spike samples counted from the first sorted sample of their segment, as other tools count them."""
    spikes = sorting["spikes"].dataset
    starts = np.asarray(first_samples(sorting), np.int64)
    ahead = starts[0] if len(starts) == 1 else starts[_segment_index(spikes)]
    return np.asarray(spikes["sample_index"].values, np.int64) - ahead


def spike_times_s(sorting: xr.DataTree) -> Any:
    """Spike times in seconds on the recording's clock, or from the segment's start if the recording has no times."""
    spikes = sorting["spikes"].dataset
    if "time" in spikes.data_vars:
        return np.asarray(spikes["time"].values, np.float64)
    starts = np.array([0.0 if start is None else start for start in segment_starts_s(sorting)])
    rate = float(sorting.attrs["sampling_frequency"])
    return starts[_segment_index(spikes)] + spikes["sample_index"].values / rate


def _length(axes: SegmentAxes, table: Mapping[str, Any]) -> int:
    """Number of sorted samples; if unknown, up to the last spike."""
    n = int(table["sample_index"].max(initial=-1)) + 1 if axes.n_samples is None else sum(axes.n_samples)
    return max(n, 1)


def samples_per_segment(sorting: xr.DataTree) -> list[int]:
    """Number of sorted samples of each segment; if unknown, up to the last spike."""
    known = sorting.attrs.get("n_samples")
    if known is not None:
        return [int(n) for n in np.atleast_1d(known)]
    spikes = sorting["spikes"].dataset
    if not spikes.sizes.get("spike"):
        return [0]
    index = _segment_index(spikes)
    return [int(spikes["sample_index"].values[index == k].max(initial=-1)) + 1 for k in range(int(index.max()) + 1)]


def _segment_index(spikes: Any) -> Any:
    if "segment_index" in spikes:
        return np.asarray(spikes["segment_index"].values, np.int64)
    return np.zeros(spikes.sizes["spike"], np.int64)


def _spike_table(spikes: Mapping[str, Any], *, n_units: int, axes: SegmentAxes, copy: bool) -> dict[str, Any]:
    missing = [name for name in ("sample_index", "unit_index") if name not in spikes]
    if missing:
        raise ParameterError(f"spikes have no {' and no '.join(missing)}; give both")
    table = {name: np.asarray(values) for name, values in spikes.items()}
    n = len(table["sample_index"])
    _check_lengths("spike", table, n)
    table.setdefault("segment_index", np.zeros(n, np.int64))
    for name in ("sample_index", "unit_index", "segment_index"):
        table[name] = table[name].astype(np.int64, copy=False)
    segment, sample, unit = table["segment_index"], table["sample_index"], table["unit_index"]
    axes.check_spikes(segment, sample)
    if n and (unit.min() < 0 or unit.max() >= n_units):
        raise ParameterError(f"spikes belong to units {unit.min()} to {unit.max()} of {n_units}, counted from 0")
    if all(_are_ordered(segment[rows], sample[rows]) for rows in row_blocks(n, overlap=1)):
        return {name: np.array(values) for name, values in table.items()} if copy else table
    order = np.lexsort((sample, segment))
    return {name: values[order] for name, values in table.items()}


def _are_ordered(segment: Any, sample: Any) -> bool:
    step = np.diff(segment)
    return bool(((step > 0) | ((step == 0) & (np.diff(sample) >= 0))).all())


def _check_lengths(what: str, table: Mapping[str, Any], n: int) -> None:
    for name, values in table.items():
        if len(values) != n:
            raise ParameterError(f"{name!r} has {len(values)} values for {n} {what}s; give one per {what}")


def _dataset(
    dim: str, table: Mapping[str, Any], declared: Mapping[str, Variable], *, typed: Sequence[str]
) -> xr.Dataset:
    """The table's columns with their declared units; those in ``typed`` are converted to their declared type."""
    variables = {}
    for name, values in table.items():
        dims = (dim, *(f"{name}_dim_{k}" for k in range(1, values.ndim)))
        units = declared[name].units if name in declared else ""
        values = values.astype(declared[name].kind, copy=False) if name in typed else values
        variables[name] = xr.Variable(dims, values, {"units": units} if units else {})
    return xr.Dataset(variables)


def plain_value(value: Any) -> Any:
    """A value converted to one that JSON can hold: numbers and lists for NumPy's, text for everything else.

    Examples
    --------
    >>> plain_value(np.float32(0.5)), plain_value(np.arange(2))
    (0.5, [0, 1])
    """
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def _version() -> str:
    try:
        return version("xephys")
    except PackageNotFoundError:
        return "unknown"
