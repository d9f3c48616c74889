"""Write the files that Kilosort4 writes, so that tools for its results can read ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...analysis.subject import check_spikes_inside
from ...checks import check_positive
from ...errors import ParameterError
from ...per_channel import check_order
from ...recording.clock import check_same_rate
from ...sorting import samples_in_part, samples_per_segment, validate_sorting
from ...typing import PathLike
from ..store.atomic import whole_or_absent
from .kilosort_fields import kilosort_fields, spike_places, write_features
from .phy import raw_file, write_channels, write_column, write_description, write_parameters, write_units

#: Added to the diagonal before the whitening is inverted, because channels that were left out have an empty row.
RIDGE = 1e-5


def export_kilosort(
    sorting: xr.DataTree,
    folder: PathLike,
    *,
    recording: xr.DataArray | None = None,
    whitened: xr.DataArray | None = None,
    nearest_chans: int = 10,
    pictures: bool = True,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sorting in the form of Kilosort4's results: phy's files with whitened templates and principal components.

    As in Kilosort4, templates and amplitudes are in units of the noise; for a folder in µV see :func:`export_phy`. If
    the features of the spikes have to be projected, this takes one pass over the recording, written to the file chunk
    by chunk.

    Parameters
    ----------
    sorting
        A sorting of any preset, from :func:`xephys.sort`.
    folder
        Folder to be written.
    recording
        The recording that was sorted. If its samples are in a raw binary file, sample by sample, phy shows them.
    whitened
        Its white traces, from :func:`whiten_like`. Not needed if the sorting holds the features of its spikes, as that
        of the preset ``kilosort4`` does.
    nearest_chans
        Number of channels in a spike's features.
    pictures
        Also draw ``diagnostics.png``, ``spike_positions.png`` and ``drift_scatter.png``, if Matplotlib is installed.
    progress
        Called with (finished, total) chunks of that pass.
    overwrite
        Replace an existing folder, once the new one is complete.

    Raises
    ------
    ParameterError
        If the sorting has nothing learned or several segments, or features and ``whitened`` are both missing.
    RecordingError
        If the recording has the sorting's channels in another order.
    OutputError
        If the folder exists or there is not enough space; no partial output is left.

    Notes
    -----
    The files of Pachitariu, Sridhar, Pennington and Stringer (2024), Nature Methods 21:914. Of the drift figures there
    is only the scatter of spikes over time; :func:`xephys.plot.plot_motion` draws an estimated motion. The optional
    copies of preprocessed data and of unfiltered state are not written.

    Examples
    --------
    >>> import tempfile, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    >>> sorting = xephys.sort(recording)
    >>> white = xephys.whiten_like(recording, learned=sorting)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     export_kilosort(sorting, place + "/kilosort4", whitened=white, pictures=False)
    ...     np.load(place + "/kilosort4/pc_features.npy", allow_pickle=False).shape[1:]
    (6, 10)
    """
    tree = validate_sorting(sorting)
    check_positive(nearest_chans=nearest_chans)
    if len(samples_per_segment(tree)) > 1:
        raise ParameterError(
            f"this sorting has {len(samples_per_segment(tree))} segments and Kilosort4's files know one; export the "
            "sorting of each segment"
        )
    for given in (recording, whitened):
        if given is not None:
            check_same_rate(given, tree)
            check_order(given, tree.children.get("templates"), what="the sorting")
            check_spikes_inside(tree, [given])
    fields = kilosort_fields(tree, nearest_chans=nearest_chans)
    n_spikes = tree["spikes"].sizes["spike"]
    n_bytes = 4 * n_spikes * fields.sizes["component"] * fields.sizes["slot"] + 60 * n_spikes
    with whole_or_absent(folder, overwrite=overwrite, n_bytes=n_bytes + 2 * fields["template"].nbytes) as hidden:
        hidden.mkdir()
        norms = write_features(hidden / "pc_features.npy", tree, fields, whitened=whitened, progress=progress)
        file = raw_file(recording, n_channels=fields.sizes["channel"])
        write_channels(hidden, tree["templates"].dataset, file)
        _narrow_channels(hidden)
        _write_spikes(hidden, tree, fields, norms)
        _write_templates(hidden, fields)
        write_units(hidden, tree["units"].dataset)
        _write_quality(hidden, tree, norms)
        write_parameters(hidden, file, float(tree.attrs["sampling_frequency"]))
        write_description(hidden, tree)
        _write_settings(hidden, tree, fields, file)
        if pictures and find_spec("matplotlib") is not None:
            from .kilosort_pictures import draw_pictures

            draw_pictures(hidden, tree, norms)


def _narrow_channels(folder: Path) -> None:
    """Store positions and shanks as 32-bit floats, like Kilosort4."""
    for name in ("channel_positions", "channel_shanks"):
        path = folder / f"{name}.npy"
        np.save(path, np.load(path, allow_pickle=False).astype(np.float32))


def _write_spikes(folder: Path, sorting: xr.DataTree, fields: xr.Dataset, norms: Any) -> None:
    spikes = sorting["spikes"].dataset
    labels = np.asarray(spikes["unit_index"].values, np.int32)
    np.save(folder / "spike_times.npy", samples_in_part(sorting))
    np.save(folder / "spike_clusters.npy", labels)
    np.save(folder / "spike_templates.npy", labels)
    np.save(folder / "spike_detection_templates.npy", np.asarray(fields["detection_template"].values, np.int32))
    np.save(
        folder / "spike_positions.npy",
        spike_places(sorting, np.load(folder / "channel_positions.npy", allow_pickle=False)),
    )
    np.save(folder / "amplitudes.npy", norms)
    np.save(folder / "kept_spikes.npy", np.asarray(fields["kept"].values, bool))


def _write_templates(folder: Path, fields: xr.Dataset) -> None:
    templates = np.asarray(fields["template"].values, np.float32)
    similarity = np.asarray(fields["similarity"].values, np.float32)
    channels = np.asarray(fields["feature_channel"].values, np.uint32)
    n_units, _, n_channels = templates.shape
    if n_units == 1:
        # phylib drops axes of length one and would take samples for units; an empty second template prevents that.
        templates = np.concatenate([templates, np.zeros_like(templates)])
        channels = np.concatenate([channels, channels])
        similarity = np.eye(2, dtype=np.float32)
    np.save(folder / "templates.npy", templates)
    np.save(folder / "templates_ind.npy", np.tile(np.arange(n_channels), (len(templates), 1)))
    np.save(folder / "pc_feature_ind.npy", channels)
    np.save(folder / "similar_templates.npy", similarity)
    if n_channels > 1:  # no one-by-one matrix, for the same reason; without a matrix phylib uses the identity
        matrix = np.asarray(fields["whitening"].values, np.float32)
        np.save(folder / "whitening_mat.npy", matrix)
        np.save(folder / "whitening_mat_dat.npy", matrix)
        inverse = np.linalg.inv(matrix.astype(np.float64) + RIDGE * np.eye(n_channels))
        np.save(folder / "whitening_mat_inv.npy", inverse.astype(np.float32))


def _write_quality(folder: Path, sorting: xr.DataTree, norms: Any) -> None:
    units = sorting["units"].dataset
    labels = sorting["spikes"]["unit_index"].values
    counts = np.maximum(np.bincount(labels, minlength=units.sizes["unit"]), 1)
    means = np.bincount(labels, weights=norms, minlength=units.sizes["unit"]) / counts
    contaminated = 100 * units["contamination"].values if "contamination" in units else np.zeros(len(counts))
    for name in ("amplitude", "contamination"):
        (folder / f"cluster_{name}.tsv").unlink(missing_ok=True)
    if "amplitude" in units:  # renamed, because some file systems would confuse it with Kilosort4's own file
        write_column(folder, "amplitude_uv", [f"{value:.6g}" for value in units["amplitude"].values])
    for name, values in (("Amplitude", means), ("ContamPct", contaminated)):
        write_column(folder, name, [f"{value:.1f}" for value in values])


def _write_settings(folder: Path, sorting: xr.DataTree, fields: xr.Dataset, file: Any) -> None:
    parameters = json.loads(sorting.attrs.get("parameters", "{}"))
    n_channels = fields.sizes["channel"]
    ops = {
        "settings": parameters,
        **parameters,
        "preset": sorting.attrs.get("preset", ""),
        "xephys_version": sorting.attrs.get("version", ""),
        "fs": float(sorting.attrs["sampling_frequency"]),
        "n_chan_bin": n_channels if file is None else file["n_file_channels"],
        "Nchan": n_channels,
        "nt": fields.sizes["sample"],
        "nt0min": int(fields.attrs["nbefore"]),
        "n_pcs": fields.sizes["component"],
        "nearest_chans": fields.sizes["slot"],
        "wPCA": fields["component"].values,
        "Wrot": fields["whitening"].values,
        "chanMap": np.load(folder / "channel_map.npy", allow_pickle=False),
        "xc": np.load(folder / "channel_positions.npy", allow_pickle=False)[:, 0],
        "yc": np.load(folder / "channel_positions.npy", allow_pickle=False)[:, 1],
        "kcoords": np.load(folder / "channel_shanks.npy", allow_pickle=False),
        "Nbatches": int(np.ceil(samples_per_segment(sorting)[0] / (2 * float(sorting.attrs["sampling_frequency"])))),
    }
    np.save(folder / "ops.npy", np.array(ops, object), allow_pickle=True)
    lines = [f"xephys {ops['xephys_version']}, preset {ops['preset']}", f"parameters: {json.dumps(parameters)}"]
    lines += [json.dumps(entry) for entry in json.loads(sorting.attrs.get("log", "[]"))]
    labels = sorting["units"]["label"].values.astype(str)
    lines.append(f"{len(labels)} units, {(labels == 'good').sum()} good, {sorting['spikes'].sizes['spike']} spikes")
    (folder / "kilosort4.log").write_text("\n".join(lines) + "\n", encoding="utf8")
