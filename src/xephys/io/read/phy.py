"""Read a folder of phy or Kilosort as a sorting, in the state in which curation left it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...curate.measures import put_metrics
from ...curate.regroup import nodes_of
from ...errors import RecordingError
from ...metrics.table import METRICS
from ...recording.axes import SegmentAxes
from ...sorting import build_sorting, validate_sorting
from .literals import read_literals
from .phy_columns import cluster_columns, listed_clusters, unit_names
from .phy_templates import cluster_templates, has_array, read_array, seen_places, usual_peak

#: File that the exports of this package add to the folder, for what phy's files cannot hold.
DESCRIPTION = "sorting.json"
#: Columns that are recomputed here, or that have another name in the tree.
_NOT_COLUMNS = {"group", "si_unit_id", "unit_name", "n_spikes", "fr", "firing_rate", "num_spikes", "ch", "depth", "sh"}


def is_phy(folder: Path) -> bool:
    """Whether a folder holds the spikes of phy's template GUI, in files that Kilosort writes too."""
    return (folder / "spike_times.npy").is_file() and any(
        (folder / f"spike_{name}.npy").is_file() for name in ("clusters", "templates")
    )


def read_phy(folder: Path) -> xr.DataTree:
    """Read a sorting from the files of phy or Kilosort: current clusters, labels, templates, positions.

    A cluster's template is the unwhitened mean of the templates that found its spikes, weighted by their numbers of
    spikes. Clusters without spikes are dropped. Columns of ``cluster_*.tsv`` become columns of the units; for clusters
    that were merged or split in phy, metrics are recomputed or unknown. No code is run, and ``params.py`` is read as
    literals.

    Raises
    ------
    RecordingError
        If a file is missing, has the wrong shape, or holds objects.
    """
    known = _description(folder)
    cluster, template_of_spike = _spike_labels(folder)
    samples = read_array(folder, "spike_times").astype(np.int64).ravel()
    if len(samples) != len(cluster):
        raise RecordingError(
            f"{folder} has {len(samples)} spike_times and {len(cluster)} spike_clusters; copy the folder again"
        )
    axes = _axes(folder, known)
    # A cluster without spikes either never had any, or was merged or split.
    found = set(np.unique(template_of_spike).tolist())
    never = {k for k in listed_clusters(folder) if k < _n_templates(folder)} - found
    clusters = sorted({*np.unique(cluster).tolist(), *never})
    unit_index = np.searchsorted(clusters, cluster)
    columns = cluster_columns(folder, clusters)
    segment, samples = _on_segments(samples, axes)
    spikes: dict[str, Any] = {"sample_index": samples, "unit_index": unit_index, "segment_index": segment}
    if (folder / "spike_positions.npy").is_file():
        places = read_array(folder, "spike_positions", np.float32)
        spikes |= {"x": places[:, 0], "y": places[:, 1]}
    units: dict[str, Any] = {"label": _labels(columns, known, clusters), "cluster_id": np.array(clusters, np.int64)}
    units |= {name: values for name, values in columns.items() if name not in _NOT_COLUMNS and name.isidentifier()}
    templates, nbefore = None, 0
    size = np.abs(read_array(folder, "amplitudes", np.float64).ravel()) if has_array(folder, "amplitudes") else None
    if has_array(folder, "templates"):
        templates = cluster_templates(folder, unit_index, template_of_spike, clusters, size)
        nbefore = int(known.get("nbefore", usual_peak(templates)))
        units |= seen_places(templates, axes.channels)
    if size is not None:
        spikes |= _sizes(size, unit_index, templates, in_microvolts=known.get("amplitudes") == "uV")
    tree = build_sorting(
        axes,
        spikes=spikes,
        units=units,
        templates=templates,
        nbefore=nbefore,
        unit_ids=unit_names(folder, clusters),
        preset=str(known.get("preset", "")),
        parameters=json.loads(known.get("parameters", "{}")),
        log=[*json.loads(known.get("log", "[]")), {"step": "open", "format": "phy", "folder": folder.name}],
    )
    tree.attrs["fingerprint"] = str(known.get("fingerprint", ""))
    if templates is not None and known.get("template_units", "uV") != "uV":
        tree["templates"]["templates"].attrs["units"] = str(known["template_units"])
    made_by_phy = np.flatnonzero(~np.isin(clusters, [*found, *never]))
    return _with_metrics(tree, made_by_phy, names=tuple(METRICS) if known else ("num_spikes", "firing_rate"))


def _with_metrics(tree: xr.DataTree, changed: NDArray[np.int64], *, names: tuple[str, ...]) -> xr.DataTree:
    """Metrics of clusters that were merged or split, as far as the folder allows."""
    if not len(changed):
        return tree
    nodes = nodes_of(tree)
    unknown = put_metrics(tree, nodes, units=changed.tolist(), members=[np.array([k]) for k in changed], names=names)
    made = xr.DataTree.from_dict(nodes)
    log = json.loads(tree.attrs["log"])
    log[-1] |= {"unknown": unknown} if unknown else {}
    made.attrs = {**tree.attrs, "log": json.dumps(log)}
    return validate_sorting(made)


def _description(folder: Path) -> dict[str, Any]:
    """The description that an export of this package left in the folder; empty for other folders."""
    path = folder / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise RecordingError(f"{path} is not whole JSON ({error}); copy it again, or remove it") from error
    return found if isinstance(found, dict) else {}


def _spike_labels(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cluster of each spike, and the template that found it."""
    first, second = ("spike_clusters", "spike_templates")
    cluster = read_array(folder, first if has_array(folder, first) else second).astype(np.int64).ravel()
    template = read_array(folder, second if has_array(folder, second) else first).astype(np.int64).ravel()
    if len(template) != len(cluster):
        raise RecordingError(
            f"{folder} has {len(cluster)} spike_clusters and {len(template)} spike_templates; copy the folder again"
        )
    return cluster, template


def _n_templates(folder: Path) -> int:
    return (
        len(np.load(folder / "templates.npy", mmap_mode="r", allow_pickle=False))
        if has_array(folder, "templates")
        else 0
    )


def _axes(folder: Path, known: Mapping[str, Any]) -> SegmentAxes:
    """Rate, lengths and channels; the description of our own exports overrides the other files."""
    if not (folder / "params.py").is_file():
        raise RecordingError(
            f"{folder} has no params.py, which says the sampling rate; write one with the line sample_rate = 30000.0"
        )
    parameters = read_literals(folder / "params.py")
    rate = known.get("sampling_frequency", parameters.get("sample_rate"))
    if not isinstance(rate, (int, float)) or not rate > 0:
        raise RecordingError(f"{folder / 'params.py'}: sample_rate is {rate!r}; write the rate in hertz")
    lists = {
        name: tuple(np.atleast_1d(known[name]).tolist())
        for name in ("n_samples", "first_sample", "start_s", "clock")
        if name in known
    }
    if not known and (n_samples := _raw_samples(folder, parameters)):
        lists["n_samples"] = (n_samples,)
    return SegmentAxes(sampling_frequency=float(rate), channels=_channels(folder, known), **lists)


def _raw_samples(folder: Path, parameters: Mapping[str, Any]) -> int:
    """Number of samples in the raw files if they can be found, otherwise 0."""
    paths, n_channels = parameters.get("dat_path") or [], parameters.get("n_channels_dat")
    paths = [folder / str(path) for path in ([paths] if isinstance(paths, str) else paths)]
    if not isinstance(n_channels, int) or n_channels < 1 or not all(path.is_file() for path in paths):
        return 0
    try:
        row = n_channels * np.dtype(str(parameters.get("dtype", "int16"))).itemsize
    except TypeError:
        return 0
    skipped = parameters.get("offset", 0)
    return sum((path.stat().st_size - (skipped if isinstance(skipped, int) else 0)) // row for path in paths)


def _channels(folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Names and positions of the channels."""
    if not has_array(folder, "channel_map"):
        return {}
    rows = read_array(folder, "channel_map").astype(np.int64).ravel()
    names = np.asarray(known.get("channel_ids", rows))
    channels: dict[str, Any] = {"channel": names if len(names) == len(rows) else rows}
    if has_array(folder, "channel_positions"):
        places = read_array(folder, "channel_positions", np.float64).reshape(len(rows), -1)
        channels |= {"x": places[:, 0], "y": places[:, 1]}
    if has_array(folder, "channel_shanks"):
        shanks = read_array(folder, "channel_shanks").ravel()
        if len(np.unique(shanks)) > 1:
            channels["shank"] = shanks.astype(np.int64).astype(str)
    return channels


def _on_segments(samples: NDArray[np.int64], axes: SegmentAxes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Segment and sample of spikes given on one axis, along which segments follow each other."""
    starts = np.concatenate([[0], np.cumsum(axes.n_samples or (0,))[:-1]]).astype(np.int64)
    segment = np.searchsorted(starts, samples, side="right") - 1 if len(starts) > 1 else np.zeros(len(samples), int)
    return segment, samples - starts[segment] + np.asarray(axes.first_sample, np.int64)[segment]


def _labels(columns: Mapping[str, NDArray[Any]], known: Mapping[str, Any], clusters: list[int]) -> NDArray[Any]:
    """phy's group, or Kilosort's label where there is none; exported labels that phy does not know are restored."""
    labels = np.full(len(clusters), "unsorted", object)
    for name in ("KSLabel", "group"):
        if name in columns:
            given = columns[name].astype(str)
            labels = np.where(given != "", given, labels if name == "group" and "group" not in columns else "unsorted")
    exported = known.get("labels", {})
    own = [str(exported.get(str(k), "")) for k in clusters]
    return np.array([own[k] or one if one == "unsorted" else one for k, one in enumerate(labels.tolist())], str)


def _sizes(
    size: NDArray[np.float64],
    unit_index: NDArray[np.int64],
    templates: NDArray[np.float32] | None,
    *,
    in_microvolts: bool,
) -> dict[str, Any]:
    """Sizes of the spikes: as multiples of their unit's template, and in the unit of the templates.

    A folder does not tell the unit of its amplitudes, but their ratios within a cluster are known.
    """
    if templates is None:
        return {"amplitude": size}
    peak = np.abs(templates).max(axis=(1, 2), initial=0.0)
    if in_microvolts:
        return {"amplitude": size, "scale": size / np.maximum(peak, 1e-12)[unit_index]}
    counts = np.bincount(unit_index, minlength=len(peak))
    mean = np.bincount(unit_index, weights=size, minlength=len(peak)) / np.maximum(counts, 1)
    scale = size / np.maximum(mean, 1e-12)[unit_index]
    return {"amplitude": scale * peak[unit_index], "scale": scale}
