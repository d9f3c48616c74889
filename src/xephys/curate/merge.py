"""Merge units: their spikes, templates, metrics and learned data become those of one unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from .measures import largest_values, put_metrics, rescaled
from .names import check_new_ids, unit_positions
from .regroup import logged_tree, nodes_of, regrouped, with_rows

#: Templates are compared within this fraction of their length.
LAG_FRACTION = 0.25


def merge_units(
    sorting: xr.DataTree,
    unit_ids: Any,
    *,
    new_id: Any = None,
    label: str | None = None,
    duplicate_ms: float | None = 0.5,
) -> xr.DataTree:
    """Merge several units into one.

    Among spikes closer to each other than ``duplicate_ms``, the larger one is kept, or the earlier one if they are
    equally large. The others keep their samples. The template is the mean of the members' templates, weighted by their
    numbers of spikes, each shifted to where it is most similar to that of the largest member; without traces it cannot
    be averaged again (see :func:`xephys.estimate_templates`). The unit gets the mean of the members' positions, and the
    index of the largest member.

    Metrics of this package are computed from the spikes, the template and the noise levels of the tree; any other
    metric becomes NaN, and the log says why. A sorting with learned data can still be used as ``learned``: all
    templates of the members then belong to the merged unit.

    Parameters
    ----------
    sorting
        Any sorting tree.
    unit_ids
        Names of two or more units.
    new_id
        Name of the merged unit; by default, that of the member with most spikes.
    label
        Label of the merged unit; by default, that of the members if they agree, otherwise ``"unsorted"``.
    duplicate_ms
        Minimum interval between two spikes of a neuron, in milliseconds; None keeps all spikes.

    Returns
    -------
    A sorting; the log says what was merged, and which spikes were dropped.

    Raises
    ------
    ParameterError
        If a unit does not exist, there are fewer than two, or the name is taken.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> from xephys.sorting import build_sorting
    >>> rec = make_recording(np.zeros((3000, 2), "int16"), sampling_frequency=30_000.0)
    >>> sorting = build_sorting(
    ...     rec, spikes={"sample_index": [100, 200, 300], "unit_index": [0, 1, 2]}, units={"label": ["good"] * 3}
    ... )
    >>> merged = merge_units(sorting, [0, 2])
    >>> merged["units"]["unit_id"].values.tolist(), merged["spikes"]["unit_index"].values.tolist()
    ([0, 1], [0, 1, 0])
    """
    if duplicate_ms is not None:
        check_positive(duplicate_ms=duplicate_ms)
    tree = validate_sorting(sorting)
    known = unit_ids_of(tree)
    members = unit_positions(known, unit_ids)
    if len(members) < 2:
        raise ParameterError(f"{len(members)} unit is given; a merge takes two or more, such as [3, 7]")
    unit_of_spike = np.asarray(tree["spikes"]["unit_index"].values, np.int64)
    counts = np.bincount(unit_of_spike, minlength=len(known))
    largest = int(members[np.argmax(counts[members])])
    rest = known[np.setdiff1d(np.arange(len(known)), members)].tolist()
    name = check_new_ids(known, [known[largest] if new_id is None else new_id], taken=rest)[0]

    lost = _repeated(tree, np.isin(unit_of_spike, members), duplicate_ms)
    nodes, lags = _joined(nodes_of(tree), members, largest, counts)
    if label is None:
        labels = {str(one) for one in tree["units"]["label"].values[members]}
        label = labels.pop() if len(labels) == 1 else "unsorted"
    nodes["units"] = with_rows(nodes["units"], "label", largest, label)

    source = np.setdiff1d(np.arange(len(known)), np.setdiff1d(members, [largest]))
    merged = int(np.searchsorted(source, largest))
    successor = np.full(len(known), -1, np.int64)
    successor[source] = np.arange(len(source))
    successor[members] = merged
    names = known[source].tolist()
    names[merged] = name
    nodes = regrouped(
        nodes,
        unit_of_spike=np.where(lost, -1, successor[unit_of_spike]),
        source=source,
        successor=successor,
        unit_ids=np.array(names),
    )
    unknown = put_metrics(tree, nodes, units=[merged], members=[members])
    entry = {
        "step": "merge_units",
        "merged": known[members].tolist(),
        "new_unit_id": name,
        "removed": [unit for unit in known[members].tolist() if unit != name],
        "num_spikes": counts[members].tolist(),
        "duplicates_dropped": int(lost.sum()),
        "lag_samples": lags,
        **({"unknown": unknown} if unknown else {}),
    }
    return logged_tree(nodes, tree, entry)


def _repeated(sorting: xr.DataTree, of_members: NDArray[np.bool_], duplicate_ms: float | None) -> NDArray[np.bool_]:
    """Mask of the members' spikes that are too close to a larger one."""
    from ..kernels.curate.repeats import drop_repeats

    if duplicate_ms is None:
        return np.zeros(len(of_members), bool)
    spikes = sorting["spikes"].dataset
    rows = np.flatnonzero(of_members)
    table = np.zeros(len(rows), [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("row", "i8")])
    table["sample_index"], table["row"] = spikes["sample_index"].values[rows], rows
    if "segment_index" in spikes:  # spikes of different segments are never close to each other
        table["unit_index"] = spikes["segment_index"].values[rows]
    if "amplitude" in spikes:
        table["gain"] = np.nan_to_num(np.abs(spikes["amplitude"].values[rows]))
    dead_samples = round(duplicate_ms * 1e-3 * float(sorting.attrs["sampling_frequency"]))
    lost = of_members.copy()
    lost[drop_repeats(table, dead_samples=dead_samples)["row"]] = False
    return lost


def _joined(
    nodes: dict[str, xr.Dataset], members: NDArray[np.int64], largest: int, counts: NDArray[np.int64]
) -> tuple[dict[str, xr.Dataset], list[int]]:
    """The nodes with the merged unit in the row of its largest member, and the shift of each template."""
    nodes = dict(nodes)
    weights = np.maximum(counts[members], 1)
    for name in {"x", "y", "z"} & set(nodes["units"]):
        places = nodes["units"][name].values[members]
        nodes["units"] = with_rows(nodes["units"], str(name), largest, np.average(places, weights=weights))
    factor = np.ones(len(counts))
    lags = np.zeros(len(members), np.int64)
    if "templates" in nodes:
        templates = np.asarray(nodes["templates"]["templates"].values, np.float32)
        lags = _lags(templates, members, largest)
        mean = _mean_template(templates, members, lags, weights)
        nodes["templates"] = with_rows(nodes["templates"], "templates", largest, mean)
        if "channel_index" in nodes["units"]:
            nodes["units"] = with_rows(nodes["units"], "channel_index", largest, np.abs(mean).max(axis=0).argmax())
        factor[members] = largest_values(templates[members]) / max(float(np.abs(mean).max()), 1e-12)
    elif "scale" in nodes["spikes"]:
        factor[members] = np.nan
    nodes = rescaled(nodes, factor[nodes["spikes"]["unit_index"].values], factor)
    if "kilosort4" in nodes:
        nodes["kilosort4"] = _joined_features(nodes, members, largest, lags, weights)
    return nodes, lags.tolist()


def _lags(templates: NDArray[np.float32], members: NDArray[np.int64], largest: int) -> NDArray[np.int64]:
    """Number of samples by which each member's template is moved earlier to match that of the largest."""
    from ..kernels.curate.merge import merge_candidates

    order = np.concatenate([[largest], members[members != largest]])
    channels = np.tile(np.arange(templates.shape[2], dtype=np.int32), (len(order), 1))
    lag = int(LAG_FRACTION * templates.shape[1])
    pairs = merge_candidates(templates[order], channels, lag_samples_max=lag, similarity_min=0.0)
    pairs = pairs[pairs["first"] == 0]
    lags = np.zeros(len(templates), np.int64)
    lags[order[pairs["second"]]] = pairs["lag"]
    return lags[members]


def _mean_template(
    templates: NDArray[np.float32], members: NDArray[np.int64], lags: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.float32]:
    from ..kernels.templates.combine import merge_waveforms

    n_channels = templates.shape[2]
    return merge_waveforms(
        templates[members],
        np.tile(np.arange(n_channels), (len(members), 1)),
        n_channels=n_channels,
        unit_of_template=np.zeros(len(members), np.int64),
        template_of_unit=np.zeros(1, np.int64),
        sample_shift=lags,
        num_spikes=weights,
    )[0]


def _joined_features(
    nodes: dict[str, xr.Dataset],
    members: NDArray[np.int64],
    largest: int,
    lags: NDArray[np.int64],
    weights: NDArray[np.int64],
) -> xr.Dataset:
    """White template, similarities and features on the channels of the largest member, 0 where others lack them."""
    from ..kernels.metrics.spike_places import features_on

    group, units = nodes["kilosort4"], nodes["spikes"]["unit_index"].values
    similarity = np.array(group["similarity"].values)
    similarity[largest] = similarity[members].max(axis=0)
    similarity[:, largest] = similarity[largest]
    similarity[largest, largest] = 1.0
    rows = np.flatnonzero(np.isin(units, members))
    channels = group["feature_channel"].values
    moved = features_on(group["projection"].values[rows], units[rows], np.full(len(rows), largest), channels, channels)
    mean = _mean_template(np.asarray(group["template"].values, np.float32), members, lags, weights)
    group = with_rows(with_rows(group, "template", largest, mean), "projection", rows, moved)
    return group.assign(similarity=(group["similarity"].dims, similarity, group["similarity"].attrs))
