"""dartsort's HDF5 files: one dataset per feature, one row per spike, and a few datasets about the probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.export.optional import needed
from ..io.store.atomic import whole_or_absent
from ..typing import PathLike

#: Datasets that are not one row per spike.
FIXED = (
    "geom",
    "registered_geom",
    "channel_index",
    "sub_channel_index",
    "sampling_frequency",
    "residual",
    "residual_times_seconds",
    "n_residuals",
    "chunk_starts_samples",
    "last_chunk_start",
    "last_chunk_index",
)
#: Fixed datasets that come with the simple features.
_OF_PROBE = ("geom", "channel_index")
#: Datasets that a sorting holds itself.
_OF_SPIKES = ("times_samples", "channels", "labels")


def read_features(
    path: PathLike,
    names: Sequence[str] | None,
    *,
    main: Sequence[str],
    simple: bool,
    everything: bool,
    allow_missing: bool,
) -> dict[str, NDArray[Any]]:
    """Datasets of a file, by name.

    Parameters
    ----------
    path
        The file.
    names
        Features to read, besides ``main``; if None, those that ``simple`` and ``everything`` select.
    main
        Datasets that are read if they are there.
    simple, everything
        Features of one number or vector per spike; of matrices too.
    allow_missing
        Skip named features that are not in the file.

    Raises
    ------
    ParameterError
        If the file cannot be opened, or a named feature is not in it.
    ImportError
        If h5py is not installed.
    """
    h5py = needed("h5py", extra="dartsort", what="reading dartsort's HDF5 files")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ParameterError(f"{path} cannot be opened as HDF5: {error}; give a file that dartsort wrote") from error
    with file:
        if names is None:
            n_spikes = len(file[main[0]]) if main and main[0] in file else -1
            names = [n for n in file if _is_selected(n, file[n].shape, n_spikes, simple=simple, everything=everything)]
        absent = [name for name in names if name not in file]
        if absent and not allow_missing:
            raise ParameterError(f"{path} has no {', '.join(absent)}; it has {', '.join(file)}")
        return {name: file[name][()] for name in dict.fromkeys([*main, *names]) if name in file}


def feature_names(path: Path | None) -> list[str]:
    """Features of one number or vector per spike in a file; none if there is no file, or h5py is not installed."""
    if path is None or not path.exists():
        return []
    try:
        h5py = needed("h5py", extra="dartsort", what="reading dartsort's HDF5 files")
    except ImportError:
        return []
    with h5py.File(path, "r") as file:
        n_spikes = len(file["times_samples"]) if "times_samples" in file else -1
        selected = [n for n in file if _is_selected(n, file[n].shape, n_spikes, simple=True, everything=False)]
    return [name for name in selected if name not in (*_OF_PROBE, *_OF_SPIKES)]


def write_features(
    path: PathLike, features: Mapping[str, NDArray[Any]], *, geom: NDArray[np.float64], sampling_frequency: float
) -> None:
    """Write a file from which dartsort and :func:`read_features` read.

    Parameters
    ----------
    path
        File that is written, or replaced.
    features
        One row per spike; ``times_samples`` and ``channels`` are among them.
    geom
        ``(channel, 2)``, positions in µm.
    sampling_frequency
        In Hz.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ImportError
        If h5py is not installed.
    """
    h5py = needed("h5py", extra="dartsort", what="writing dartsort's HDF5 files")
    n_channels = len(geom)
    with whole_or_absent(Path(path), overwrite=True) as hidden, h5py.File(hidden, "w") as file:
        for name, values in features.items():
            file[name] = values
        file["geom"] = geom
        file["channel_index"] = np.tile(np.arange(n_channels), (n_channels, 1))
        file["sampling_frequency"] = float(sampling_frequency)


def simple_features(features: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Features of one number or one vector per spike."""
    return {name: values for name, values in features.items() if values.ndim <= 2}


def _is_selected(name: str, shape: tuple[int, ...], n_spikes: int, *, simple: bool, everything: bool) -> bool:
    if name in _OF_PROBE:
        return simple or everything
    if name in FIXED or not shape or shape[0] != n_spikes:
        return False
    return everything or (simple and len(shape) <= 2)
