"""Write the data folder of pyDANT from a MATLAB file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from .folder import save
from .settings import read_settings

#: Fields of the structure that every unit needs.
REQUIRED = ("SpikeTimes", "SessionIndex", "Waveform", "Xcoords", "Ycoords")


def spikeInfo2npy(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Write the data folder of pyDANT from ``spikeInfo.mat`` in it.

    The file is one of MATLAB's version 7.3 with a structure array ``spikeInfo``, one element per unit: ``SpikeTimes``
    (ms), ``SessionIndex`` (from 1 on), ``Waveform`` (channel, sample; µV), ``Xcoords`` and ``Ycoords`` (µm), and
    optionally ``Kcoords`` (shank of each channel) and ``PETH``. All units have the channels of the first one.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`; only ``path_to_data`` is needed.

    Raises
    ------
    FileNotFoundError
        If there is no ``spikeInfo.mat``.
    ParameterError
        If it is not such a file, or units have different channels.
    ImportError
        If h5py is not installed.
    """
    settings = read_settings(user_settings)
    if not settings.get("path_to_data"):
        raise ParameterError("the settings have no path_to_data; give the path of a folder")
    folder = Path(settings["path_to_data"])
    file = folder / "spikeInfo.mat"
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist; save spikeInfo there with save(..., '-v7.3')")
    fields = _fields(file)
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise ParameterError(f"spikeInfo in {file} has no {', '.join(missing)}; it needs {', '.join(REQUIRED)}")
    waveforms = _stacked(file, "Waveform", fields)
    places = np.column_stack([np.ravel(fields[name][0]) for name in ("Xcoords", "Ycoords")])
    if waveforms.ndim != 3 or len(places) != waveforms.shape[1]:
        raise ParameterError(
            f"{file} has waveforms {waveforms.shape[1:]} for {len(places)} places; give one per channel"
        )
    arrays = {
        "waveform_all": waveforms,
        "session_index": np.array([int(np.ravel(value)[0]) for value in fields["SessionIndex"]]),
        "channel_locations": places,
    }
    if "Kcoords" in fields:
        shank = np.ravel(fields["Kcoords"][0]).astype(np.int64)
        arrays |= {"channel_shanks": shank, "unit_shanks": shank[np.ptp(waveforms, axis=2).argmax(axis=1)]}
    if "PETH" in fields:
        arrays["peth"] = _stacked(file, "PETH", fields).reshape(len(waveforms), -1)
    save(folder, **arrays)
    (folder / "spike_times").mkdir(exist_ok=True)
    save(folder / "spike_times", **{f"Unit{k}": np.ravel(train) for k, train in enumerate(fields["SpikeTimes"])})


def _fields(file: Path) -> dict[str, list[NDArray[np.float64]]]:
    """The values of each field, unit by unit; MATLAB writes arrays with their axes reversed."""
    try:
        h5py = import_module("h5py")
    except ImportError as error:
        raise ImportError("spikeInfo2npy needs the package h5py, which is not installed; pip install h5py") from error
    try:
        opened = h5py.File(file, "r")
    except OSError as error:
        raise ParameterError(f"{file} is not a MATLAB file of version 7.3: {error}; save with '-v7.3'") from error
    with opened:
        if not isinstance(opened.get("spikeInfo"), h5py.Group):
            raise ParameterError(f"{file} has no structure spikeInfo; it has {', '.join(opened)}")
        group = opened["spikeInfo"]
        return {name: [_value(each) for each in _elements(opened, group[name], h5py)] for name in group}


def _elements(opened: Any, field: Any, h5py: Any) -> list[Any]:
    """The datasets of a field: referred to by an array of structures, or the field itself in a single one."""
    if field.dtype == h5py.ref_dtype:
        return [opened[reference] for reference in np.ravel(field[()])]
    return [field]


def _value(dataset: Any) -> NDArray[np.float64]:
    # An empty array is stored as its size.
    if dataset.attrs.get("MATLAB_empty", 0):
        return np.empty(0)
    return np.asarray(dataset[()], np.float64).T


def _stacked(file: Path, name: str, fields: Mapping[str, list[NDArray[np.float64]]]) -> NDArray[np.float64]:
    shapes = {value.shape for value in fields[name]}
    if len(shapes) > 1:
        raise ParameterError(
            f"{name} in {file} has shapes {sorted(shapes)}; give all units the same channels and samples"
        )
    return np.stack(fields[name])
