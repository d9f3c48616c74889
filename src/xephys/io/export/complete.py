"""Complete a sorting with its analysis, in the places where every exporter looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...analysis.results import KEY, columns_of, current_results
from ...analysis.subject import Subject, check_spikes_inside
from ...curate.regroup import nodes_of
from ...errors import ParameterError
from ...per_channel import check_order
from ...recording.axes import SegmentAxes
from ...recording.clock import check_same_rate
from ...recording.segments import segments_of
from ...sorting import (
    first_samples,
    samples_in_part,
    samples_per_segment,
    segment_starts_s,
    spike_times_s,
    unit_ids_of,
    validate_sorting,
)
from ...templates.node import templates_node
from ..bridge.extensions import dense_of

#: Columns of spikes, by the extension that has them; columns of the sorting itself are not replaced.
_OF_SPIKES = {"spike_amplitudes": ("amplitude",), "spike_locations": ("x", "y")}
_OF_UNITS = {"unit_locations": ("x", "y", "z")}
_METRICS = ("quality_metrics", "template_metrics")


def completed(
    sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree | None = None
) -> tuple[xr.DataTree, dict[str, xr.Dataset]]:
    """The tree with templates, amplitudes, positions and metrics filled in from its analysis, and that analysis.

    Metrics of the analysis replace the sorter's metrics of the same names. Templates need a recording, or templates
    from the sorter, for the positions of the channels.

    Raises
    ------
    ParameterError
        If the analysis is of other spikes than the sorting has, or the recording has another sampling rate or
        does not hold the spikes.
    RecordingError
        If the recording has the sorting's channels in another order.
    """
    validate_sorting(sorting)
    if recording is not None:
        check_same_rate(segments_of(recording)[0], sorting)
        check_order(segments_of(recording)[0], sorting.children.get("templates"), what="the sorting")
        check_spikes_inside(sorting, segments_of(recording))
    results = current_results(sorting)
    nodes = nodes_of(sorting)
    for table, given in (("spikes", _OF_SPIKES), ("units", _OF_UNITS)):
        for name, columns in given.items():
            here = [key for key in columns if name in results and key in results[name] and key not in nodes[table]]
            nodes[table] = nodes[table].assign({key: results[name][key].variable for key in here})
    if "sparsity" in results and "channel_index" not in nodes["units"]:
        peak = results["sparsity"]["peak_channel"].values
        nodes["units"] = nodes["units"].assign(channel_index=("unit", peak))
        # Results know their units by spikes and channel, and the results of these units are still theirs.
        keys = Subject(xr.DataTree.from_dict(nodes), ()).unit_keys
        nodes |= {path: node.assign({KEY: ("unit", keys)}) for path, node in nodes.items() if KEY in node}
    for name in _METRICS:
        if name in results:
            nodes["units"] = nodes["units"].assign({k: v.variable for k, v in columns_of(results[name]).items()})
    if "templates" not in nodes and "templates" in results and recording is not None:
        node = results["templates"]
        axes = SegmentAxes.of(recording)
        dense = dense_of(node["average"].values, node["channel_index"].values, len(axes.channels["channel"]))
        nodes["templates"] = templates_node(
            dense, axes.channels, unit_ids_of(sorting), int(node.attrs["nbefore"]), axes.sampling_frequency
        )
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs = dict(sorting.attrs)
    return tree, results


def with_templates(
    sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree | None, *, what: str
) -> tuple[xr.DataTree, dict[str, xr.Dataset]]:
    """As above, for a sorting that must have templates, or an analysis and its recording.

    Raises
    ------
    ParameterError
        If it has none.
    """
    tree, results = completed(sorting, recording)
    if "templates" not in tree.children:
        raise ParameterError(
            f"{what} needs templates and this sorting has none; analyze it "
            "(xephys.analyze(sorting, recording, ['templates'])) and give the recording"
        )
    return tree, results


def samples_on_one_axis(sorting: xr.DataTree) -> NDArray[np.int64]:
    """Samples of the spikes with segments joined one after the other."""
    samples = samples_in_part(sorting)
    if len(samples_per_segment(sorting)) > 1:
        samples += np.cumsum([0, *samples_per_segment(sorting)])[segment_index_of(sorting)]
    return np.asarray(samples, np.int64)


def times_on_one_axis(sorting: xr.DataTree) -> NDArray[np.float64]:
    """Times of the spikes in seconds: on the recording's clock, and for segments that overlap there as if they followed
    one another.
    """
    if _is_one_clock(sorting):
        return np.asarray(spike_times_s(sorting), np.float64)
    return samples_on_one_axis(sorting) / float(sorting.attrs["sampling_frequency"])


def intervals_s(sorting: xr.DataTree) -> NDArray[np.float64]:
    """Beginning and end of each segment on that axis ``(segment, 2)``."""
    rate = float(sorting.attrs["sampling_frequency"])
    lengths = np.asarray(samples_per_segment(sorting), np.float64) / rate
    if _is_one_clock(sorting):
        firsts = np.asarray(first_samples(sorting), np.float64) / rate
        begins = np.array([0.0 if start is None else start for start in segment_starts_s(sorting)]) + firsts
    else:
        begins = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    return np.stack([begins, begins + lengths], axis=1)


def _is_one_clock(sorting: xr.DataTree) -> bool:
    starts = segment_starts_s(sorting)
    if len(starts) == 1:
        return True
    if any(start is None for start in starts):
        return False
    rate = float(sorting.attrs["sampling_frequency"])
    begins = np.array(starts, np.float64) + np.asarray(first_samples(sorting)) / rate
    ends = begins + np.asarray(samples_per_segment(sorting)) / rate
    return bool((begins[1:] >= ends[:-1] - 0.5 / rate).all())


def segment_index_of(sorting: xr.DataTree) -> NDArray[np.int64]:
    """Segment of each spike; 0 if there is a single segment."""
    spikes = sorting["spikes"].dataset
    known = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(spikes.sizes["spike"])
    return np.asarray(known, np.int64)


def by_unit(sorting: xr.DataTree, times: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order of the spikes by unit and time, and the end of each unit in it."""
    units = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)
    order = np.lexsort((times, units))
    ends = np.searchsorted(units[order], np.arange(len(unit_ids_of(sorting))), side="right")
    return order, ends


def columns_by_unit(units: xr.Dataset, *, without: Mapping[str, Any] | set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    """Columns of the units that are numbers or text, with one value per unit."""
    return {
        str(name): column
        for name, column in units.data_vars.items()
        if column.ndim == 1 and column.dtype.kind in "biufU" and str(name) not in without
    }


def text_of(values: Any) -> list[str]:
    """Values as strings.

    Examples
    --------
    >>> text_of(np.array([1, 2]))
    ['1', '2']
    """
    return [str(value) for value in np.asarray(values).tolist()]


def own_channels(tree: xr.DataTree, results: Mapping[str, xr.Dataset]) -> NDArray[np.int32]:
    """Channels of each unit ``(unit, slot)``, padded with -1: those of the analysis, or of its non-zero template."""
    from ...recording.geometry import padded

    if "sparsity" in results:
        return np.asarray(results["sparsity"]["channel_index"].values, np.int32)
    used = (tree["templates"]["templates"].values != 0).any(axis=1)
    return padded([np.flatnonzero(row) for row in used]) if len(used) else np.zeros((0, 1), np.int32)


def peak_channels(tree: xr.DataTree) -> NDArray[np.int64]:
    """Channel on which each unit's template is largest."""
    units = tree["units"].dataset
    if "channel_index" in units:
        return np.asarray(units["channel_index"].values, np.int64)
    return np.asarray(np.abs(tree["templates"]["templates"].values).max(axis=1).argmax(axis=1), np.int64)
