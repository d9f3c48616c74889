"""Sortings of several segments: split them by segment, or select some segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_number
from ..errors import ParameterError
from ..graph.compose.join import joined_starts
from ..recording.axes import SegmentAxes
from ..recording.joined import joined_layout, split_segments
from ..sorting import first_samples, samples_per_segment, segment_starts_s, unit_ids_of, validate_sorting
from .measures import put_metrics
from .regroup import logged_tree, nodes_of, regrouped


def split_sorting(sorting: xr.DataTree, joined: xr.DataArray) -> xr.DataTree:
    """Split the sorting of joined segments into one with several segments, each with its own samples and times.

    Parameters
    ----------
    sorting
        Sorting of the whole recording ``joined``.
    joined
        Recording made by :func:`xephys.concatenate_segments`, also after filters and other steps.

    Returns
    -------
    The same units, with ``segment_index`` and samples counted from the start of each segment. Spikes in the gaps
    between segments are dropped, and counted in the log. A motion keeps the time axis of the joined recording; its
    attribute ``segment_starts_on_time_axis_s`` gives the start of each segment on that axis.

    Raises
    ------
    ParameterError
        If the sorting belongs to another recording.
    RecordingError
        If the recording was not joined.

    Examples
    --------
    >>> import xephys
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((3000, 2), "int16"), sampling_frequency=30_000.0)
    >>> joined = xephys.concatenate_segments([rec, rec])
    >>> spikes = {"sample_index": [90, 3010], "unit_index": [0, 0]}
    >>> sorting = build_sorting(joined, spikes=spikes, units={"label": ["good"]})
    >>> spikes = split_sorting(sorting, joined)["spikes"]
    >>> spikes["segment_index"].values.tolist(), spikes["sample_index"].values.tolist()
    ([0, 1], [90, 10])
    """
    axes = SegmentAxes.of(split_segments(joined))
    layout = joined_layout(joined)
    return spread_over_segments(sorting, axes, starts=joined_starts(layout["n_samples"], layout["bridge"]))


def spread_over_segments(sorting: xr.DataTree, axes: SegmentAxes, *, starts: Sequence[int]) -> xr.DataTree:
    """:func:`split_sorting`, given the axes of the segments, their starts on the joined axis, and its end."""
    tree = validate_sorting(sorting)
    if samples_per_segment(tree) != [starts[-1]]:
        raise ParameterError(
            f"the sorting is of {samples_per_segment(tree)} samples and the joined recording has {starts[-1]}; give "
            "the recording that was sorted"
        )
    assert axes.n_samples is not None
    spikes = tree["spikes"].dataset
    sample = np.asarray(spikes["sample_index"].values, np.int64)
    segment = np.searchsorted(np.asarray(starts[:-1]), sample, side="right") - 1
    within = sample - np.asarray(starts[:-1])[segment]
    inside = within < np.asarray(axes.n_samples)[segment]
    within += np.asarray(axes.first_sample)[segment]
    nodes = nodes_of(tree)
    times = np.zeros(len(sample))
    times[inside] = axes.times_s(segment[inside], within[inside])
    nodes["spikes"] = nodes["spikes"].assign(
        {
            name: ("spike", values, spikes[name].attrs if name in spikes else {})
            for name, values in (("sample_index", within), ("segment_index", segment), ("time", times))
        }
    )
    if "motion" in nodes:
        begins = [start / axes.sampling_frequency for start in starts[:-1]]
        nodes["motion"] = nodes["motion"].assign_attrs(segment_starts_on_time_axis_s=begins)
    nodes = _without_spikes(nodes, tree, kept=inside)
    moved = xr.DataTree()
    moved.attrs = {**tree.attrs, **axes.attributes, "fingerprint": axes.fingerprint}
    recount(nodes, moved)
    entry = {"step": "split_sorting", "segments": len(axes.n_samples), "spikes_in_gaps": int((~inside).sum())}
    return logged_tree(nodes, moved, entry)


def select_segments(sorting: xr.DataTree, segments: int | Sequence[int]) -> xr.DataTree:
    """Select segments of a sorting, in the given order, with all units and recomputed metrics.

    Parameters
    ----------
    sorting
        Any sorting tree.
    segments
        Number of a segment, or several, counted from 0.

    Raises
    ------
    ParameterError
        If a segment does not exist or is given twice.

    Examples
    --------
    >>> import xephys
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((3000, 2), "int16"), sampling_frequency=30_000.0)
    >>> one = build_sorting(rec, spikes={"sample_index": [90], "unit_index": [0]}, units={"label": ["good"]})
    >>> two = xephys.append_sortings([one, one])
    >>> select_segments(two, 1)["spikes"].sizes["spike"], two["spikes"].sizes["spike"]
    (1, 2)
    """
    tree = validate_sorting(sorting)
    lengths, chosen = samples_per_segment(tree), np.atleast_1d(np.asarray(segments, np.int64)).tolist()
    if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= k < len(lengths) for k in chosen):
        raise ParameterError(f"segments is {segments}; give some of 0 to {len(lengths) - 1}, each once")
    new = np.full(len(lengths), -1, np.int64)
    new[chosen] = np.arange(len(chosen))
    nodes = nodes_of(tree)
    segment = new[segment_numbers(tree)]
    nodes["spikes"] = nodes["spikes"].assign(segment_index=("spike", segment, column_attributes(tree, "segment_index")))
    nodes = _without_spikes(nodes, tree, kept=segment >= 0)
    order = np.argsort(nodes["spikes"]["segment_index"].values, kind="stable")
    if (np.diff(order) < 0).any():
        nodes.pop("kilosort4", None)  # its spikes are in the order in which they were found
        nodes = {path: node.isel(spike=order) if "spike" in node.dims else node for path, node in nodes.items()}
    moved = xr.DataTree()
    moved.attrs = dict(tree.attrs)
    for name in ("n_samples", "first_sample", "start_s", "clock"):
        if name in moved.attrs:
            values = np.broadcast_to(np.asarray(moved.attrs[name]), len(lengths))[chosen].tolist()
            moved.attrs[name] = values[0] if len(values) == 1 else values
    moved.attrs.setdefault("n_samples", [lengths[k] for k in chosen])
    return _with_metrics_anew(nodes, moved, {"step": "select_segments", "segments": chosen})


def select_period(sorting: xr.DataTree, start_s: float, stop_s: float) -> xr.DataTree:
    """Select the spikes of a period, with all units and recomputed metrics.

    The result relates to the sorting as ``time_slice(recording, start_s, stop_s)`` does to the recording: samples still
    count from the start of the segment, and the attribute ``first_sample`` says where the period begins.

    Parameters
    ----------
    sorting
        A sorting of one segment.
    start_s, stop_s
        Start and stop on the recording's clock, in seconds; a spike exactly at the stop is excluded.

    Raises
    ------
    ParameterError
        If the range is empty or not within the sorted time, if there are several segments, or if the recording has a
        time for each sample.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(sample_index=[10, 200, 300], labels=[1, 2, 1], sampling_frequency=1000.0)
    >>> part = select_period(sorting, 0.1, 0.3)
    >>> part["spikes"]["sample_index"].values.tolist(), part.attrs["first_sample"]
    ([200], 100)
    """
    tree = validate_sorting(sorting)
    lengths, rate = samples_per_segment(tree), float(tree.attrs["sampling_frequency"])
    if len(lengths) > 1:
        raise ParameterError(f"the sorting has {len(lengths)} segments; select one first with select_segments")
    if str(np.atleast_1d(tree.attrs.get("clock", "regular"))[0]) != "regular":
        raise ParameterError("the recording has a time for each sample; sort time_slice(recording, start_s, stop_s)")
    (begin,), origin = first_samples(tree), segment_starts_s(tree)[0] or 0.0
    check_number(start_s=start_s, stop_s=stop_s)
    first, last = (round((at - origin) * rate) if np.isfinite(at) else -1 for at in (start_s, stop_s))
    if not begin <= first < last <= begin + lengths[0]:
        raise ParameterError(
            f"start_s={start_s}, stop_s={stop_s} is not a range inside what was sorted, {origin + begin / rate:g} to "
            f"{origin + (begin + lengths[0]) / rate:g} s; give start_s < stop_s within it"
        )
    sample = tree["spikes"]["sample_index"].values
    nodes = _without_spikes(nodes_of(tree), tree, kept=(sample >= first) & (sample < last))
    moved = xr.DataTree()
    moved.attrs = {**tree.attrs, "first_sample": first, "n_samples": last - first}
    return _with_metrics_anew(nodes, moved, {"step": "select_period", "start_s": start_s, "stop_s": stop_s})


def _with_metrics_anew(nodes: dict[str, xr.Dataset], moved: xr.DataTree, entry: Mapping[str, Any]) -> xr.DataTree:
    """The tree of the nodes with the attributes of ``moved``; counts and metrics are those of the remaining spikes."""
    recount(nodes, moved)
    known = xr.DataTree.from_dict(nodes)
    known.attrs = moved.attrs
    n_units = nodes["units"].sizes["unit"]
    put_metrics(known, nodes, units=range(n_units), members=[np.array([k]) for k in range(n_units)])
    return logged_tree(nodes, moved, entry)


def _without_spikes(
    nodes: Mapping[str, xr.Dataset], tree: xr.DataTree, *, kept: NDArray[np.bool_]
) -> dict[str, xr.Dataset]:
    """The nodes with the kept spikes only, and with all units."""
    every = np.arange(len(unit_ids_of(tree)))
    units = np.where(kept, nodes["spikes"]["unit_index"].values, -1)
    return regrouped(nodes, unit_of_spike=units, source=every, successor=every, unit_ids=np.asarray(unit_ids_of(tree)))


def recount(nodes: dict[str, xr.Dataset], tree: xr.DataTree) -> None:
    """Update the number of spikes and the firing rate of each unit from the spikes."""
    units, n = nodes["units"], nodes["units"].sizes["unit"]
    counts = np.bincount(nodes["spikes"]["unit_index"].values, minlength=n)
    known = np.atleast_1d(tree.attrs["n_samples"]).sum() / float(tree.attrs["sampling_frequency"])
    values = {"num_spikes": counts, "firing_rate": counts / max(float(known), 1e-9)}
    nodes["units"] = units.assign(
        {name: ("unit", column, units[name].attrs if name in units else {}) for name, column in values.items()}
    )


def segment_numbers(tree: xr.DataTree) -> NDArray[np.int64]:
    spikes = tree["spikes"].dataset
    if "segment_index" in spikes:
        return np.asarray(spikes["segment_index"].values, np.int64)
    return np.zeros(spikes.sizes["spike"], np.int64)


def column_attributes(tree: xr.DataTree, name: str) -> Mapping[Any, Any]:
    spikes = tree["spikes"].dataset
    return spikes[name].attrs if name in spikes else {}
