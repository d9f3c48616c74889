"""Convert sortings between SpikeInterface and trees. It subclasses SpikeInterface's classes: import it on demand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from spikeinterface.core import BaseSorting
from spikeinterface.core.base import minimum_spike_dtype
from spikeinterface.core.basesorting import SpikeVectorSortingSegment

from ...schema import exact_variable
from ...sorting import UNIT_IDS, first_samples, samples_in_part, samples_per_segment, segment_starts_s, validate_sorting
from ..read.properties import DATES, storable_dates
from ..store.encode import decode_array, encode_array, encoded_if_plain, plain

#: Attribute of a column: the name of its property in SpikeInterface; empty if it is not a property there.
_PROPERTY = "spikeinterface_property"
#: Attribute of a column of dates: their own NumPy type, since Xarray stores them in seconds or finer.
_DATED = "spikeinterface_dtype"
#: Names that mean something else on the dims of a tree, or that the other side recomputes.
_RESERVED = {"unit", "unit_id", "label", "num_spikes"}


class TreeSorting(BaseSorting):
    """Spikes in memory, with all sorted segments, including those without spikes.

    Survives JSON, pickle and SpikeInterface's process pool.

    Parameters
    ----------
    SpikeInterface's spike vector, plain or encoded as JSON.
        SpikeInterface's spike vector, or one encoded as JSON.
    sampling_frequency
        In hertz.
    unit_ids
        Encoded array.
    num_segments
        Number of segments.
    properties
        Encoded arrays by name.
    t_starts
        Start of each segment in seconds, or None.
    annotations
        Annotations of the sorting, including its name.
    """

    def __init__(
        self,
        spikes: dict[str, Any],
        sampling_frequency: float,
        unit_ids: dict[str, Any],
        num_segments: int,
        properties: dict[str, Any],
        t_starts: list[float | None] | None = None,
        annotations: dict[str, Any] | None = None,
    ) -> None:
        ids = decode_array(unit_ids)
        vector = decode_array(spikes)
        BaseSorting.__init__(self, sampling_frequency, ids)
        for index in range(num_segments):
            segment = SpikeVectorSortingSegment(vector, index, ids)
            segment._t_start = None if t_starts is None else t_starts[index]
            self.add_sorting_segment(segment)
        self._cached_spike_vector = vector
        for name, values in properties.items():
            self.set_property(name, decode_array(values))
        self.annotate(**(annotations or {}))
        self._serializability["json"] = not any(isinstance(values, np.ndarray) for values in properties.values())
        self._kwargs = {
            "spikes": spikes,
            "sampling_frequency": sampling_frequency,
            "unit_ids": unit_ids,
            "num_segments": num_segments,
            "properties": properties,
            "t_starts": t_starts,
            "annotations": annotations,
        }


def si_sorting_of(sorting: xr.DataTree) -> TreeSorting:
    """Convert a sorting tree to a SpikeInterface sorting; columns of the units become properties."""
    validate_sorting(sorting)
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    rate = float(sorting.attrs["sampling_frequency"])
    vector = np.zeros(spikes.sizes["spike"], minimum_spike_dtype)
    vector["sample_index"] = samples_in_part(sorting)
    vector["unit_index"] = spikes["unit_index"].values
    if "segment_index" in spikes:
        vector["segment_index"] = spikes["segment_index"].values
    vector = vector[np.lexsort((vector["sample_index"], vector["segment_index"]))]
    ids = units.coords["unit_id"].values if "unit_id" in units.coords else np.arange(units.sizes["unit"])
    properties = {
        name: encoded_if_plain(variable.values.astype(variable.attrs.get(_DATED, variable.dtype)))
        for variable_name, variable in units.data_vars.items()
        if (name := _property_name(str(variable_name), variable))
    }
    return TreeSorting(
        spikes=encode_array(vector),
        sampling_frequency=rate,
        unit_ids=encode_array(ids),
        num_segments=len(samples_per_segment(sorting)),
        properties=properties,
        t_starts=[
            None if start is None else start + first / rate
            for start, first in zip(segment_starts_s(sorting), first_samples(sorting), strict=True)
        ],
        annotations=json.loads(sorting.attrs.get("annotations", "{}")),
    )


def start_of_si_segment(sorting: Any, index: int) -> float | None:
    """Time of sample 0 of a segment of a SpikeInterface sorting; None if unknown."""
    start = getattr(sorting.segments[index], "_t_start", None)
    if start is None and sorting.has_recording():
        start = sorting._recording.get_start_time(segment_index=index)
    return None if start is None else float(start)


def _property_name(name: str, column: xr.DataArray) -> str:
    """Name of a column as a property; empty for a column that only trees have."""
    if _PROPERTY in column.attrs:
        return str(column.attrs[_PROPERTY])
    if name == "label":
        return "" if np.all(column.values.astype(str) == "unsorted") else "quality"
    return "" if name in _RESERVED else name


def sorting_tree_of(sorting: Any) -> xr.DataTree:
    """Convert a SpikeInterface sorting to a tree of spikes and units, without templates."""
    vector = sorting.to_spike_vector()
    spikes = {
        name: ("spike", np.asarray(vector[name], np.int64)) for name in ("sample_index", "unit_index", "segment_index")
    }
    n_units = len(sorting.unit_ids)
    units: dict[str, Any] = {}
    for number, key in enumerate(sorting.get_property_keys()):
        values = np.asarray(sorting.get_property(key))
        name = key if key.isidentifier() and key not in _RESERVED else f"property_{number}"
        dims = ("unit", *(f"{name}_dim_{k}" for k in range(1, values.ndim)))
        dated = {}
        if values.dtype.kind in DATES:
            dated, values = {_DATED: values.dtype.str}, storable_dates(values)
        units[name] = exact_variable(dims, values, {_PROPERTY: key, **dated})
    label, said = np.full(n_units, "unsorted"), {_PROPERTY: ""}
    quality = units.get("quality")
    if quality is not None and quality.dtype.kind in "US":
        label, said = quality.values, units.pop("quality").attrs
    units["label"] = ("unit", label, said)
    counts = np.bincount(spikes["unit_index"][1], minlength=n_units)
    units["num_spikes"] = ("unit", counts, {_PROPERTY: ""})
    described = xr.Dataset(units, coords={"unit_id": ("unit", np.asarray(sorting.unit_ids))})
    tree = xr.DataTree.from_dict({"spikes": xr.Dataset(spikes), "units": described})
    tree["spikes"]["unit_index"].attrs[UNIT_IDS] = np.asarray(sorting.unit_ids).tolist()
    tree.attrs = {"sampling_frequency": float(sorting.get_sampling_frequency())}
    n_segments = sorting.get_num_segments()
    if sorting.has_recording():
        lengths = [int(sorting.get_num_samples(segment_index=k)) for k in range(n_segments)]
    else:
        ends = [vector["sample_index"][vector["segment_index"] == k].max(initial=-1) + 1 for k in range(n_segments)]
        lengths = [int(end) for end in ends]
    tree.attrs["n_samples"] = lengths[0] if n_segments == 1 else lengths
    starts = [start_of_si_segment(sorting, index) for index in range(n_segments)]
    if any(start is not None for start in starts):
        known = [float("nan") if start is None else start for start in starts]
        tree.attrs["start_s"] = known[0] if n_segments == 1 else known
    annotations = {key: sorting.get_annotation(key) for key in sorting.get_annotation_keys()}
    if annotations:
        tree.attrs["annotations"] = json.dumps(plain(annotations))
    return tree
