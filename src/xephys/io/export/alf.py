"""Write a folder of the International Brain Laboratory's ALF files.

It has one NumPy array per attribute, named object.attribute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...sorting import unit_ids_of
from ...typing import PathLike
from ..store.atomic import whole_or_absent
from .complete import (
    columns_by_unit,
    peak_channels,
    samples_on_one_axis,
    text_of,
    times_on_one_axis,
    with_templates,
)

#: Volts per microvolt; ALF stores amplitudes and waveforms in volts.
VOLTS = 1e-6


def export_alf(
    sorting: xr.DataTree,
    folder: PathLike,
    *,
    recording: xr.DataArray | xr.DataTree | None = None,
    n_channels_max: int = 32,
    overwrite: bool = False,
) -> None:
    """Write a sorting as ALF files: objects ``spikes``, ``clusters``, ``templates`` and ``channels``.

    Clusters are positions along ``unit``, as the format demands; their names are in ``clusters.names.npy`` and
    ``clusters.metrics.csv``. Times are seconds, amplitudes volts, depths µm.

    Parameters
    ----------
    sorting
        A sorting with templates, or with analyzed templates if a recording is given.
    folder
        Folder to be written.
    recording
        The recording that was sorted; needed only if the sorting has no templates of its own.
    n_channels_max
        Maximum number of channels of a cluster's waveform: those nearest to its peak channel.
    overwrite
        Replace an existing folder, once the new one is complete.

    Raises
    ------
    ParameterError
        If there are no templates.
    OutputError
        If the folder exists.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     export_alf(truth_sorting(recording, truth), place + "/alf")
    ...     np.load(place + "/alf/clusters.waveforms.npy").shape[0]
    2
    """
    tree, _ = with_templates(sorting, recording, what="ALF")
    templates = tree["templates"]["templates"]
    with whole_or_absent(folder, overwrite=overwrite, n_bytes=40 * tree["spikes"].sizes["spike"]) as hidden:
        hidden.mkdir()
        positions = _positions(tree["templates"].dataset)
        _write(hidden, "channels", localCoordinates=positions, rawInd=np.arange(len(positions)))
        peaks = peak_channels(tree)
        _write(hidden, "spikes", **_spikes(tree, positions[peaks, 1] if len(peaks) else np.zeros(0)))
        channels = _nearest(positions, peaks, n_channels_max)
        cut = np.take_along_axis(np.asarray(templates.values), channels[:, None, :], axis=2).astype(np.float32)
        _write(hidden, "templates", waveforms=cut * np.float32(VOLTS), waveformsChannels=channels)
        _write(hidden, "clusters", **_clusters(tree, cut, channels, peaks, positions))
        ids = text_of(unit_ids_of(tree))
        uuids = [str(uuid5(NAMESPACE_URL, f"{tree.attrs.get('fingerprint', '')}/{name}")) for name in ids]
        (hidden / "clusters.uuids.csv").write_text("\n".join(["uuids", *uuids]) + "\n", encoding="utf8")
        units = tree["units"].dataset
        table = xr.Dataset({"cluster_id": ("unit", np.arange(len(ids))), "cluster_name": ("unit", ids)})
        table = table.assign({name: ("unit", column.values) for name, column in columns_by_unit(units).items()})
        table.to_dataframe().to_csv(hidden / "clusters.metrics.csv", index=False)


def _write(folder: Path, name: str, **attributes: Any) -> None:
    for attribute, values in attributes.items():
        np.save(folder / f"{name}.{attribute}.npy", values)


def _positions(channels: xr.Dataset) -> NDArray[np.float64]:
    if "x" in channels.coords and "y" in channels.coords:
        return np.stack([channels["x"].values, channels["y"].values], axis=1).astype(np.float64)
    n = channels.sizes["channel"]
    return np.stack([np.zeros(n), np.arange(n, dtype=np.float64)], axis=1)


def _spikes(tree: xr.DataTree, depth_of_unit: NDArray[np.float64]) -> dict[str, Any]:
    spikes = tree["spikes"].dataset
    times = times_on_one_axis(tree)
    order = np.argsort(times, kind="stable")
    units = np.asarray(spikes["unit_index"].values, np.int32)
    depths = np.asarray(spikes["y"].values, np.float64) if "y" in spikes else depth_of_unit[units]
    written = {
        "times": times,
        "samples": samples_on_one_axis(tree),
        "clusters": units,
        "templates": units,
        "depths": depths,
    }
    if "amplitude" in spikes:
        written["amps"] = np.abs(np.asarray(spikes["amplitude"].values, np.float64)) * VOLTS
    return {name: values[order] for name, values in written.items()}


def _clusters(
    tree: xr.DataTree,
    cut: NDArray[np.float32],
    channels: NDArray[np.int64],
    peaks: NDArray[np.int64],
    positions: NDArray[np.float64],
) -> dict[str, Any]:
    units = tree["units"].dataset
    main = np.take_along_axis(cut, (channels == peaks[:, None]).argmax(axis=1)[:, None, None], axis=2)[:, :, 0]
    lag = main.argmax(axis=1) - main.argmin(axis=1)
    depths = np.asarray(units["y"].values, np.float64) if "y" in units else positions[peaks, 1]
    return {
        "channels": peaks,
        "depths": depths,
        "amps": np.ptp(main, axis=1).astype(np.float64) * VOLTS,
        "peakToTrough": lag / float(tree.attrs["sampling_frequency"]) * 1e3,
        "waveforms": cut * np.float32(VOLTS),
        "waveformsChannels": channels,
        "labels": units["label"].values.astype(str),
        "names": np.array(text_of(unit_ids_of(tree)), str),
    }


def _nearest(positions: NDArray[np.float64], peaks: NDArray[np.int64], n_max: int) -> NDArray[np.int64]:
    """The channels nearest to each peak channel, the nearest first."""
    distance = np.linalg.norm(positions[peaks][:, None] - positions[None], axis=2)
    return np.argsort(distance, axis=1, kind="stable")[:, :n_max].astype(np.int64)
