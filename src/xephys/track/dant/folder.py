"""Read the data folder of pyDANT, and write arrays whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from ...graph.checkpoint import write_atomically


class Inputs(NamedTuple):
    """Mean waveforms of the units of all sessions, and what goes with them."""

    waveforms: NDArray[np.floating]
    session: NDArray[np.int64]
    positions: NDArray[np.float64]
    shank: NDArray[np.int64]
    peth: NDArray[np.float64] | None
    folder: Path

    def spike_times(self) -> Iterator[NDArray[np.float64]]:
        """Spike times of one unit after the other, in ms; all of them empty where there is no folder of spike times."""
        there = (self.folder / "spike_times").is_dir()
        for k in range(len(self.session)):
            yield _train(self.folder / "spike_times" / f"Unit{k}.npy") if there else np.empty(0)


def read_folder(folder: Path, *, spikes: bool = True) -> Inputs:
    """What is in a data folder, checked.

    Parameters
    ----------
    folder
        With ``waveform_all.npy`` (unit, channel, sample; µV), ``session_index.npy`` (unit; from 1 on),
        ``channel_locations.npy`` (channel, 2; µm), and optionally ``channel_shanks.npy`` (channel), ``peth.npy`` (unit,
        bin) and ``spike_times/Unit0.npy`` and so on (ms).
    spikes
        Whether spike times are required.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ParameterError
        If shapes do not agree, or a waveform is not finite.
    """
    waveforms = _loaded(folder / "waveform_all.npy", mapped=True)
    if waveforms.ndim != 3 or not waveforms.size:
        raise ParameterError(f"waveform_all.npy has shape {waveforms.shape}; give (unit, channel, sample)")
    n_units, n_channels = waveforms.shape[:2]
    session = _loaded(folder / "session_index.npy").ravel()
    if len(session) != n_units or (session < 1).any() or (session != np.round(session)).any():
        raise ParameterError(
            f"session_index.npy has {len(session)} values for {n_units} units; give one for each, counted from 1"
        )
    positions = _loaded(folder / "channel_locations.npy")
    if positions.shape != (n_channels, 2) or not np.isfinite(positions).all():
        raise ParameterError(
            f"channel_locations.npy has shape {positions.shape} for {n_channels} channels; give finite x and y for each"
        )
    shank = np.ones(n_channels)
    if (folder / "channel_shanks.npy").is_file():
        shank = _loaded(folder / "channel_shanks.npy").ravel()
        if len(shank) != n_channels:
            raise ParameterError(f"channel_shanks.npy has {len(shank)} values for {n_channels} channels")
    peth = None
    if (folder / "peth.npy").is_file():
        peth = np.asarray(_loaded(folder / "peth.npy"), np.float64)
        if peth.ndim != 2 or len(peth) != n_units:
            raise ParameterError(f"peth.npy has shape {peth.shape} for {n_units} units; give (unit, bin)")
    bad = [k for k in range(0, n_units, 256) if not np.isfinite(waveforms[k : k + 256]).all()]
    if bad:
        unit = bad[0] + int(np.argmin(np.isfinite(waveforms[bad[0] : bad[0] + 256]).all(axis=(1, 2))))
        raise ParameterError(
            f"the waveform of unit {unit} is not finite; leave the unit out, or fill the channels with 0"
        )
    if spikes and not (folder / "spike_times").is_dir():
        raise FileNotFoundError(
            f"{folder / 'spike_times'} does not exist; write Unit0.npy and so on there, or use only Waveform as feature"
        )
    out = Inputs(
        waveforms, session.astype(np.int64), positions.astype(np.float64), shank.astype(np.int64), peth, folder
    )
    if len(np.unique(out.shank)) > 1 and len(np.unique(positions, axis=0)) < n_channels:
        raise ParameterError("channels of different shanks have one place; give each shank its own x")
    return out


def save(folder: Path, **arrays: Any) -> None:
    """Write each array to a file of its name; a file is either whole or absent."""
    for name, values in arrays.items():
        write_atomically(folder / f"{name}.npy", lambda file, values=values: np.save(file, values, allow_pickle=False))


def save_together(path: Path, **arrays: Any) -> None:
    """Write arrays as one npz file."""
    write_atomically(path, lambda file: np.savez(file, **arrays))


@contextmanager
def mapped(path: Path, shape: tuple[int, ...], dtype: Any = np.float64) -> Iterator[NDArray[Any]]:
    """An array that is filled on disk; it gets its name once it is complete."""
    hidden = path.with_name(f".{path.name}")
    try:
        out = np.lib.format.open_memmap(hidden, mode="w+", dtype=dtype, shape=shape)
        yield out
        out.flush()
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def result(folder: Path, name: str, step: str) -> NDArray[Any]:
    """A result of an earlier step, mapped from its file."""
    file = folder / f"{name}.npy"
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist; call {step} first")
    return np.asanyarray(np.load(file, mmap_mode="r", allow_pickle=False))


def pairs_of(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of units that share a cluster, ``(pair, 2)``, in order of their first unit and then of the second.

    Examples
    --------
    >>> pairs_of(np.array([1, -1, 2, 1, 1])).tolist()
    [[0, 3], [0, 4], [3, 4]]
    """
    found = [np.empty((0, 2), np.int64)]
    order = np.argsort(label, kind="stable")
    order = order[label[order] > 0]
    for members in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        i, j = np.triu_indices(len(members), 1)
        found.append(np.stack([members[i], members[j]], axis=1))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _loaded(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; write it there, or change path_to_data in the settings")
    try:
        values = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
    except (ValueError, EOFError) as error:
        raise ParameterError(f"{path} is not an array of numbers: {error}") from error
    if values.dtype.kind not in "biuf":
        raise ParameterError(f"{path} holds {values.dtype}; write numbers")
    return np.asanyarray(values)


def _train(path: Path) -> NDArray[np.float64]:
    times = np.asarray(_loaded(path), np.float64).ravel()
    if not np.isfinite(times).all():
        raise ParameterError(f"{path} has spike times that are not finite; leave them out")
    return np.sort(times)
