"""Write the files that CellExplorer reads: spikes of cells and the session, as MATLAB structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...recording.geometry import shank_numbers
from ...sorting import unit_ids_of
from ...typing import PathLike
from ..store.atomic import whole_or_absent
from .complete import by_unit, columns_by_unit, peak_channels, times_on_one_axis, with_templates


def export_cell_explorer(
    sorting: xr.DataTree,
    folder: PathLike,
    *,
    recording: xr.DataArray | xr.DataTree | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sorting as a CellExplorer session: a folder whose name is that of the session.

    ``NAME.spikes.cellinfo.mat`` has times in seconds, waveforms in µV on the peak channel and on all channels, and each
    metric as a field. ``NAME.session.mat`` has the rate, the channels and their coordinates.

    Parameters
    ----------
    sorting
        A sorting with templates, or with analyzed templates if a recording is given.
    folder
        Folder to be written.
    recording
        The recording that was sorted; needed only if the sorting has no templates of its own.
    overwrite
        Replace an existing folder, once the new one is complete.

    Raises
    ------
    ParameterError
        If there are no templates.
    OutputError
        If the folder exists.

    Notes
    -----
    Channels, shanks and cells are numbered from 1, as in MATLAB; ``maxWaveformCh`` counts from 0, as in CellExplorer.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.io import loadmat
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     export_cell_explorer(truth_sorting(recording, truth), place + "/mouse1")
    ...     loadmat(place + "/mouse1/mouse1.spikes.cellinfo.mat", simplify_cells=True)["spikes"]["numcells"]
    2.0
    """
    from scipy.io import savemat

    tree, results = with_templates(sorting, recording, what="CellExplorer")
    name = Path(folder).name
    with whole_or_absent(folder, overwrite=overwrite, n_bytes=16 * tree["spikes"].sizes["spike"]) as hidden:
        hidden.mkdir()
        spikes, session = _spikes(tree, results, name), _session(tree, name)
        savemat(hidden / f"{name}.spikes.cellinfo.mat", {"spikes": spikes}, long_field_names=True, oned_as="column")
        savemat(hidden / f"{name}.session.mat", {"session": session}, long_field_names=True, oned_as="column")


def _cells(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """A row of MATLAB cells."""
    cells = np.empty((1, len(parts)), object)
    for k, part in enumerate(parts):
        cells[0, k] = part
    return cells


def _spikes(tree: xr.DataTree, results: dict[str, xr.Dataset], name: str) -> dict[str, Any]:
    times = times_on_one_axis(tree)
    order, ends = by_unit(tree, times)
    ids = np.asarray(unit_ids_of(tree))
    numbers = ids if ids.dtype.kind in "iu" and len(ids) and ids.min() > 0 else np.arange(1, len(ids) + 1)
    node = tree["templates"].dataset
    templates = np.asarray(node["templates"].values, np.float64)
    peaks = peak_channels(tree)
    main = np.take_along_axis(templates, peaks[:, None, None], axis=2)[:, :, 0]
    row = np.atleast_2d
    written: dict[str, Any] = {
        "UID": row(numbers.astype(np.float64)),
        "cluID": row(np.arange(1, len(ids) + 1, dtype=np.float64)),
        "times": _cells(np.split(times[order], ends[:-1])),
        "total": row(np.diff(ends, prepend=0).astype(np.float64)),
        "shankID": row(np.asarray(shank_numbers(node))[peaks].astype(np.float64) + 1),
        "maxWaveformCh": row(peaks.astype(np.float64)),
        "maxWaveformCh1": row(peaks.astype(np.float64) + 1),
        "filtWaveform": _cells([row(one) for one in main]),
        "filtWaveform_all": _cells([one.T for one in templates]),
        "timeWaveform": _cells([row(_time_ms(tree)) for _ in ids]),
        "peakVoltage": row(np.ptp(main, axis=1)),
        "labels": _cells(list(tree["units"]["label"].values.astype(str))),
        "numcells": float(len(ids)),
        "sr": float(tree.attrs["sampling_frequency"]),
        "basename": name,
        "sessionName": name,
    }
    if "amplitude" in tree["spikes"]:
        amplitudes = np.abs(np.asarray(tree["spikes"]["amplitude"].values, np.float64))
        written["amplitudes"] = _cells(np.split(amplitudes[order], ends[:-1]))
    columns = columns_by_unit(tree["units"].dataset, without={"label", "num_spikes", "channel_index"})
    written.update({key: row(v.values.astype(np.float64)) for key, v in columns.items() if v.dtype.kind in "biuf"})
    return written


def _time_ms(tree: xr.DataTree) -> NDArray[np.float64]:
    templates = tree["templates"]["templates"]
    lags = np.arange(templates.sizes["sample"]) - int(templates.attrs.get("nbefore", 0))
    return np.asarray(lags / float(tree.attrs["sampling_frequency"]) * 1e3)


def _session(tree: xr.DataTree, name: str) -> dict[str, Any]:
    node = tree["templates"].dataset
    n_channels = node.sizes["channel"]
    shanks = np.asarray(shank_numbers(node))
    groups = [np.atleast_2d(np.flatnonzero(shanks == shank) + 1.0) for shank in np.unique(shanks)]
    extracellular: dict[str, Any] = {
        "sr": float(tree.attrs["sampling_frequency"]),
        "nChannels": float(n_channels),
        "nElectrodeGroups": float(len(groups)),
        "electrodeGroups": {"channels": _cells(groups)},
    }
    if "x" in node.coords and "y" in node.coords:
        extracellular["chanCoords"] = {
            "x": node["x"].values.astype(np.float64),
            "y": node["y"].values.astype(np.float64),
            "channel": np.arange(1.0, n_channels + 1),
            "shank": shanks + 1.0,
        }
    return {"general": {"name": name, "basePath": "."}, "extracellular": extracellular}
