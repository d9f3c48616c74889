"""Write a folder that phy opens for manual curation, and that SpikeInterface and phylib can read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from ...errors import ParameterError
from ...graph.build import plan_of, take_channels
from ...graph.plan import Array
from ...graph.source import BinarySource
from ...recording.geometry import channel_groups, shank_numbers
from ...recording.segments import segments_of
from ...typing import PathLike
from ..store.atomic import whole_or_absent
from .complete import samples_on_one_axis, with_templates
from .phy_features import write_features, write_waveforms

#: A raw file more than this many folders up is not regarded as part of the results.
N_FOLDERS_UP_MAX = 3
#: Number of spikes whose values are brought into order at a time.
N_ROWS_AT_A_TIME = 1 << 18
_GROUPS = ("good", "mua", "noise")
#: Columns of the units that phy computes itself, or that have a file of their own.
_OWN_COLUMNS = {"label", "num_spikes", "firing_rate", "x", "y", "z", "channel_index", "unit_id", "cluster_id"}
#: Attributes of a sorting that phy's files cannot hold.
_KEPT_ATTRIBUTES = (
    "sampling_frequency", "n_samples", "first_sample", "start_s", "clock", "version", "preset", "parameters",
    "fingerprint", "log",
)  # fmt: skip


def export_phy(
    sorting: xr.DataTree,
    folder: PathLike,
    *,
    recording: xr.DataArray | xr.DataTree | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sorting as a folder for phy.

    Templates are in µV and not whitened (the whitening matrix is the identity); amplitudes are in µV. Cluster numbers
    are positions along ``unit``; the names are in ``cluster_si_unit_id.tsv``. Every quality column has its own file.
    For an analyzed sorting, the folder also has its metrics, similarity, principal components (on each channel) and, if
    there is no raw file, waveforms of up to ``n_spikes_max`` spikes: see :func:`xephys.analyze`.

    Parameters
    ----------
    sorting
        A sorting with templates, or with analyzed templates if a recording is given.
    folder
        Folder to be written.
    recording
        The recording that was sorted. If its samples are in a raw binary file, sample by sample, phy shows them,
        without the preprocessing steps. Without a recording, phy works but shows no traces.
    overwrite
        Replace an existing folder, once the new one is complete.

    Raises
    ------
    ParameterError
        If the sorting has no templates, or the recording has other channels.
    OutputError
        If the folder exists or there is not enough space; no partial output is left.
    """
    sorting, results = with_templates(sorting, recording, what="phy")
    templates = sorting["templates"].dataset
    n_bytes = 2 * templates["templates"].nbytes + 64 * sorting["spikes"].sizes["spike"]
    with whole_or_absent(folder, overwrite=overwrite, n_bytes=n_bytes) as hidden:
        hidden.mkdir()
        order = _write_spikes(hidden, sorting)
        similarity = results["template_similarity"]["similarity"].values if "template_similarity" in results else None
        _write_templates(hidden, np.asarray(templates["templates"].values, np.float32), similarity)
        file = raw_file(recording, n_channels=templates.sizes["channel"])
        if results:
            rank = np.argsort(order, kind="stable")
            write_features(hidden, results, rank)
            if file is None:
                owners = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)
                write_waveforms(hidden, results, rank, owners, templates["templates"])
        write_channels(hidden, templates, file)
        write_units(hidden, sorting["units"].dataset)
        write_parameters(hidden, file, float(sorting.attrs["sampling_frequency"]))
        write_description(hidden, sorting, amplitudes="uV" if "amplitude" in sorting["spikes"].data_vars else "")


def write_description(folder: Path, sorting: xr.DataTree, **units: Any) -> None:
    """Store as JSON what phy's files cannot hold, so that :func:`xephys.open_sorting` can restore the sorting."""
    templates, labels = sorting["templates"].dataset, sorting["units"]["label"].values.astype(str)
    described = {name: sorting.attrs[name] for name in _KEPT_ATTRIBUTES if name in sorting.attrs}
    described |= {
        "nbefore": int(templates["templates"].attrs.get("nbefore", 0)),
        "channel_ids": templates["channel"].values.tolist() if "channel" in templates.coords else [],
        "labels": {str(k): label for k, label in enumerate(labels.tolist()) if label not in _GROUPS},
        **units,
    }
    text = json.dumps(described, default=lambda value: np.asarray(value).tolist(), indent=1)
    (folder / "sorting.json").write_text(text + "\n", encoding="utf8")


def _write_spikes(folder: Path, sorting: xr.DataTree) -> Array:
    """Write the files of the spikes; returns their order."""
    spikes = sorting["spikes"].dataset
    times = samples_on_one_axis(sorting)
    order = np.argsort(times, kind="stable")
    labels = spikes["unit_index"].values
    amplitudes = np.abs(spikes["amplitude"].values) if "amplitude" in spikes else np.broadcast_to(1.0, len(times))
    _save_in_order(folder / "spike_times.npy", order, np.int64, times)
    _save_in_order(folder / "spike_clusters.npy", order, np.int32, labels)
    _save_in_order(folder / "spike_templates.npy", order, np.int32, labels)
    _save_in_order(folder / "amplitudes.npy", order, np.float64, amplitudes)
    if "x" in spikes and "y" in spikes:
        _save_in_order(folder / "spike_positions.npy", order, np.float32, spikes["x"].values, spikes["y"].values)
    return order


def _save_in_order(path: Path, order: Array, dtype: DTypeLike, *columns: Array) -> None:
    """Write one or more columns in an order as :func:`numpy.save` does, holding a block of rows of the result only."""
    shape = (len(order), *([len(columns)] if len(columns) > 1 else []))
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, len(order), N_ROWS_AT_A_TIME):
            rows = order[first : first + N_ROWS_AT_A_TIME]
            file.write(np.stack([column[rows] for column in columns], axis=1).astype(dtype).tobytes())


def _write_templates(folder: Path, templates: Array, similarity: Array | None) -> None:
    """Write the templates, and their similarity (their cosine if nothing else is known)."""
    n_units, _, n_channels = templates.shape
    if n_units == 1:
        # phylib drops axes of length one and would take samples for units; an empty second template prevents that.
        templates, similarity = np.concatenate([templates, np.zeros_like(templates)]), None
    np.save(folder / "templates.npy", templates)
    similarity = template_similarity(templates) if similarity is None else np.asarray(similarity, np.float32)
    np.save(folder / "similar_templates.npy", similarity)
    if n_channels > 1:  # no one-by-one matrix, for the same reason; without a matrix phylib uses the identity
        np.save(folder / "whitening_mat.npy", np.eye(n_channels))
        np.save(folder / "whitening_mat_inv.npy", np.eye(n_channels))


def template_similarity(templates: Array) -> Array:
    """Cosine similarity of all pairs of templates ``(unit, sample, channel)``; 0 if one of them is empty.

    Examples
    --------
    >>> template_similarity(np.array([[[1.0, 0.0]], [[2.0, 0.0]], [[0.0, 1.0]]])).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    flat = templates.reshape(len(templates), templates.shape[1] * templates.shape[2]).astype(np.float64)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = np.divide(flat, norms, out=np.zeros_like(flat), where=norms > 0)
    similarity: Array = np.clip(flat @ flat.T, -1.0, 1.0).astype(np.float32)
    return similarity


def write_channels(folder: Path, templates: xr.Dataset, file: Mapping[str, Any] | None) -> None:
    """Write the channels' rows in the raw file, positions, shanks and groups."""
    n_channels = templates.sizes["channel"]
    positions = np.stack([np.zeros(n_channels), 20.0 * np.arange(n_channels)], axis=1)  # phy needs some positions
    if "x" in templates.coords and "y" in templates.coords:
        positions = np.stack([templates["x"].values, templates["y"].values], axis=1).astype(np.float64)
    channel_map = np.arange(n_channels) if file is None else file["channels"]
    np.save(folder / "channel_map.npy", np.asarray(channel_map, np.int32))
    np.save(folder / "channel_positions.npy", positions)
    groups = channel_groups(templates)
    np.save(folder / "channel_shanks.npy", shank_numbers(templates).astype(np.int32))
    np.save(
        folder / "channel_groups.npy", np.zeros(n_channels, np.int32) if groups is None else groups.astype(np.int32)
    )


def write_units(folder: Path, units: xr.Dataset) -> None:
    """Write labels, names and quality of the units, one file each."""
    n_units = units.sizes["unit"]
    labels = [str(label) for label in units["label"].values]
    columns: dict[str, list[Any]] = {
        "group": [label if label in _GROUPS else "unsorted" for label in labels],
        "KSLabel": ["good" if label == "good" else "mua" for label in labels],
    }
    ids = units.coords["unit_id"].values if "unit_id" in units.coords else np.arange(n_units)
    if ids.dtype.kind in "iu":
        columns["si_unit_id"] = ids.tolist()
    else:
        columns["unit_name"] = ids.tolist()
    for name, variable in units.data_vars.items():
        if name not in _OWN_COLUMNS and variable.ndim == 1 and variable.dtype.kind in "biufU":
            columns[str(name)] = variable.values.tolist()
    for name, values in columns.items():
        write_column(folder, name, values)


def write_column(folder: Path, name: str, values: Sequence[Any]) -> None:
    """Write one property of all clusters, in phy's format."""
    lines = [f"cluster_id\t{name}", *(f"{unit}\t{_cell(value)}" for unit, value in enumerate(values))]
    (folder / f"cluster_{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf8")


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("\t", " ").replace("\n", " ")


def write_parameters(folder: Path, file: Mapping[str, Any] | None, sampling_frequency: float) -> None:
    """Write ``params.py``, by which readers recognize the folder.

    The path of a raw file nearby is relative to the folder, so that both can be moved together; phylib resolves it from
    there.
    """
    lines = {
        "dat_path": [] if file is None else [_path_from(folder, path) for path in file["paths"]],
        "n_channels_dat": 0 if file is None else file["n_file_channels"],
        "dtype": "int16" if file is None else file["dtype"],
        "offset": 0 if file is None else file["offset_bytes"],
        "sample_rate": sampling_frequency,
        "hp_filtered": False,
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in lines.items())
    (folder / "params.py").write_text(text, encoding="utf8")


def _path_from(folder: Path, path: str) -> str:
    """A path relative to the folder if it leads at most three folders up, otherwise absolute."""
    try:
        relative = os.path.relpath(path, folder.absolute())
    except ValueError:  # on another drive
        return path
    return Path(relative).as_posix() if Path(relative).parts.count("..") <= N_FOLDERS_UP_MAX else path


def raw_file(recording: xr.DataArray | xr.DataTree | None, *, n_channels: int) -> dict[str, Any] | None:
    """Paths, layout and channels of the raw file behind a recording, if phy can read it."""
    if recording is None:
        return None
    described = []
    for segment in segments_of(recording):
        if segment.sizes["channel"] != n_channels:
            raise ParameterError(
                f"the recording has {segment.sizes['channel']} channels and the sorting's templates {n_channels}; give "
                "the recording that was sorted"
            )
        described.append(_layout(segment))
    first = described[0]
    if first is None or any(one is None for one in described):
        return None
    alike = all(
        one is not None
        and {k: v for k, v in one.items() if k != "paths"} == {k: v for k, v in first.items() if k != "paths"}
        for one in described
    )
    if len(described) > 1 and not (alike and first["offset_bytes"] == 0):
        return None
    return {**first, "paths": [path for one in described if one is not None for path in one["paths"]]}


def _layout(segment: xr.DataArray) -> dict[str, Any] | None:
    plan = plan_of(segment.data)
    if plan is None or not isinstance(plan.source, BinarySource) or plan.source.time_axis != 0:
        return None
    source = plan.source
    channels = np.arange(source.n_file_channels) if source.channels is None else np.asarray(source.channels)
    for stage in plan.stages:
        if stage.func is take_channels:
            channels = channels[stage.arrays["channels"]]
    if len(channels) != segment.sizes["channel"]:
        return None
    row = source.n_file_channels * source.dtype.itemsize
    return {
        "paths": [source.path],
        "n_file_channels": source.n_file_channels,
        "dtype": source.dtype.name if source.dtype.isnative else source.dtype.str,
        "offset_bytes": source.offset_bytes + plan.start * row,
        "channels": channels.tolist(),
    }
