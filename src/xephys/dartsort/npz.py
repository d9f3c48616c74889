"""dartsort's NPZ of a sorting: spikes, features in memory, and where the file of the other features is."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.store.atomic import ending_with, whole_or_absent
from ..typing import PathLike


def read_npz(path: PathLike) -> dict[str, NDArray[Any]]:
    """All arrays of the file; nothing in it is executed.

    Raises
    ------
    ParameterError
        If the file is missing or damaged, or has no spikes.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        missing = [name for name in ("times_samples", "channels") if name not in stored]
        if missing:
            raise KeyError(missing[0])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ParameterError(f"{path} is not a sorting of dartsort: {error}; give its .npz file") from error
    return stored


def write_npz(
    path: PathLike,
    spikes: Mapping[str, NDArray[Any]],
    ephemeral: Mapping[str, NDArray[Any]],
    *,
    h5_path: Path | None,
    persistent: Sequence[str],
) -> None:
    """Write the spikes and their ephemeral features; of persistent ones, their names and the relative path of the file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays = {**spikes, **ephemeral, "ephemeral_feature_names": np.array(list(ephemeral), dtype=np.str_)}
    target = Path(path)
    if h5_path is not None:
        arrays["parent_h5_path"] = np.array(os.path.relpath(h5_path.absolute(), target.absolute().parent))
        arrays["loaded_persistent_features"] = np.array(persistent, dtype=np.str_)
    with whole_or_absent(target, overwrite=True) as hidden, ending_with(hidden, ".npz") as named:
        np.savez_compressed(named, **arrays)  # type: ignore[arg-type]
