"""Sortings between SpikeInterface and trees. Imported when needed: it subclasses SpikeInterface's classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from spikeinterface.core import BaseSorting
from spikeinterface.core.base import minimum_spike_dtype
from spikeinterface.core.basesorting import SpikeVectorSortingSegment

from ...sorting import samples_per_segment, validate_sorting
from ..store.encode import decode_array, encode_array, encoded_if_plain

#: Names that SpikeInterface gives a meaning of its own.
_RENAMED = {"label": "quality"}


class TreeSorting(BaseSorting):
    """Spikes in memory, with as many segments as were sorted: also those without spikes.

    Survives JSON, pickle and SpikeInterface's process pool.

    Parameters
    ----------
    spikes
        SpikeInterface's spike vector, or one encoded as JSON.
    sampling_frequency
        In hertz.
    unit_ids
        Encoded array.
    num_segments
        Number of segments.
    properties
        Encoded arrays by name.
    """

    def __init__(
        self,
        spikes: dict[str, Any],
        sampling_frequency: float,
        unit_ids: dict[str, Any],
        num_segments: int,
        properties: dict[str, Any],
    ) -> None:
        ids = decode_array(unit_ids)
        vector = decode_array(spikes)
        BaseSorting.__init__(self, sampling_frequency, ids)
        for index in range(num_segments):
            self.add_sorting_segment(SpikeVectorSortingSegment(vector, index, ids))
        self._cached_spike_vector = vector
        for name, values in properties.items():
            self.set_property(name, decode_array(values))
        self._serializability["json"] = not any(isinstance(values, np.ndarray) for values in properties.values())
        self._kwargs = {
            "spikes": spikes,
            "sampling_frequency": sampling_frequency,
            "unit_ids": unit_ids,
            "num_segments": num_segments,
            "properties": properties,
        }


def si_sorting_of(sorting: xr.DataTree) -> TreeSorting:
    """A sorting tree as a SpikeInterface sorting; the columns of the units become properties."""
    validate_sorting(sorting)
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    vector = np.zeros(spikes.sizes["spike"], minimum_spike_dtype)
    vector["sample_index"] = spikes["sample_index"].values
    vector["unit_index"] = spikes["unit_index"].values
    if "segment_index" in spikes:
        vector["segment_index"] = spikes["segment_index"].values
    vector = vector[np.lexsort((vector["unit_index"], vector["sample_index"], vector["segment_index"]))]
    ids = units.coords["unit_id"].values if "unit_id" in units.coords else np.arange(units.sizes["unit"])
    properties = {
        _RENAMED.get(str(name), str(name)): encoded_if_plain(variable.values)
        for name, variable in units.data_vars.items()
    }
    return TreeSorting(
        spikes=encode_array(vector),
        sampling_frequency=float(sorting.attrs["sampling_frequency"]),
        unit_ids=encode_array(ids),
        num_segments=len(samples_per_segment(sorting)),
        properties=properties,
    )


def sorting_tree_of(sorting: Any) -> xr.DataTree:
    """A SpikeInterface sorting as a tree of spikes and units; it has no templates."""
    back = {theirs: ours for ours, theirs in _RENAMED.items()}
    vector = sorting.to_spike_vector()
    spikes = {
        name: ("spike", np.asarray(vector[name], np.int64)) for name in ("sample_index", "unit_index", "segment_index")
    }
    n_units = len(sorting.unit_ids)
    units: dict[str, Any] = {}
    for key in sorting.get_property_keys():
        values = np.asarray(sorting.get_property(key))
        name = back.get(key, key)
        units[name] = (("unit", *(f"{name}_dim_{k}" for k in range(1, values.ndim))), values)
    units.setdefault("label", ("unit", np.full(n_units, "unsorted")))
    units.setdefault("num_spikes", ("unit", np.bincount(spikes["unit_index"][1], minlength=n_units)))
    described = xr.Dataset(units, coords={"unit_id": ("unit", np.asarray(sorting.unit_ids))})
    tree = xr.DataTree.from_dict({"spikes": xr.Dataset(spikes), "units": described})
    tree.attrs = {"sampling_frequency": float(sorting.get_sampling_frequency())}
    n_segments = sorting.get_num_segments()
    if sorting.has_recording():
        lengths = [int(sorting.get_num_samples(segment_index=k)) for k in range(n_segments)]
    else:
        ends = [vector["sample_index"][vector["segment_index"] == k].max(initial=-1) + 1 for k in range(n_segments)]
        lengths = [int(end) for end in ends]
    tree.attrs["n_samples"] = lengths[0] if n_segments == 1 else lengths
    return tree
