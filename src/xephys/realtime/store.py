"""Sequences on disk: one file of arrays and a text. Nothing in it can run code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import why_unreadable
from ..errors import OutputError, ParameterError
from ..typing import PathLike
from .model import parameters_of

#: Written into every file, so that a later version knows what it reads.
FORMAT = 1


def save_sequences(sequences: xr.Dataset, path: PathLike) -> Path:
    """Save sequences as an ``.npz`` file, whole or not at all.

    Parameters
    ----------
    sequences
        From :func:`detect_sequences`.
    path
        File to write; ``.npz`` is appended if it is missing. It replaces earlier sequences and nothing else.

    Returns
    -------
    The path of the file.

    Raises
    ------
    ParameterError
        If the dataset does not hold sequences.
    OutputError
        If there is something else at the path, or it cannot be written.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=2, seed=1)
    >>> from xephys.realtime import detect_sequences
    >>> path = save_sequences(detect_sequences(recording), mkdtemp() + "/sequences")
    >>> open_sequences(path).sizes["channel"]
    16
    """
    parameters_of(sequences)
    target = Path(path)
    if target.suffix != ".npz":
        target = target.with_name(target.name + ".npz")
    if target.exists() and not _holds_sequences(target):
        raise OutputError(f"{target} exists and does not hold sequences; choose another path")
    about = {
        "format": FORMAT,
        "dims": {str(name): list(map(str, variable.dims)) for name, variable in sequences.variables.items()},
        "attrs": dict(sequences.attrs),
    }
    hidden = target.with_name(f".{target.name}.part")
    try:
        with hidden.open("wb") as file:
            arrays: dict[str, Any] = {str(name): _plain(one.values) for name, one in sequences.variables.items()}
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
        hidden.replace(target)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise OutputError(f"cannot write {target}: {error.strerror}; choose a folder that can be written") from error
    return target


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """The values without Python objects, which a file could hold as a pickle only."""
    return values.astype(str) if values.dtype == object else values


def _holds_sequences(path: Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return "format" in json.loads(str(stored["about"]))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, BadZipFile, EOFError):
        return False


def open_sequences(path: PathLike) -> xr.Dataset:
    """Open sequences that were saved by :func:`save_sequences`.

    Parameters
    ----------
    path
        An ``.npz`` file; the ending may be left out, as in :func:`save_sequences`.

    Raises
    ------
    ParameterError
        If there is no such file, or it is damaged, or of another format.

    Examples
    --------
    >>> open_sequences("nothing.npz")
    Traceback (most recent call last):
        ...
    xephys.errors.ParameterError: there is no file nothing.npz; save sequences with save_sequences
    """
    given = Path(path)
    beside = given.with_name(f"{given.name}.npz")
    try:
        with np.load(beside if not given.exists() and beside.exists() else given, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if about["format"] != FORMAT:
                raise ParameterError(
                    f"{path} has format {about['format']}, and this version reads {FORMAT}; learn the sequences again"
                )
            variables = {name: (dims, stored[name]) for name, dims in about["dims"].items()}
    except FileNotFoundError as error:
        raise ParameterError(f"there is no file {path}; save sequences with save_sequences") from error
    except (OSError, KeyError, ValueError, TypeError, BadZipFile, EOFError) as error:
        raise ParameterError(f"{path} holds no sequences that can be read: {why_unreadable(error)}") from error
    sequences = xr.Dataset(variables, attrs=about["attrs"])
    parameters_of(sequences)
    return sequences
