"""The program of dartsort's process for its files; it runs in dartsort's environment, which has not xephys.

    python peer_files.py sort FOLDER OUT
    python peer_files.py read FOLDER

``sort`` sorts the recording in FOLDER with the weights that dartsort brings along and leaves its files in OUT.
``read`` reads each ``.npz`` and ``.h5`` of a sorting in FOLDER with dartsort's own reader, writes ``FILE.json`` with
what it found, and saves what it read of an NPZ anew, as ``FILE.again.npz``.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

#: Arrays that every sorting has, beside its features.
OWN = ("times_samples", "channels", "labels", "geom")


def main(what: str, folder: str, *out: str) -> None:
    from dartsort.util.data_util import DARTsortSorting

    if what == "sort":
        _sort(Path(folder), Path(*out))
        return
    for path in sorting_files(Path(folder)):
        read = DARTsortSorting.load if path.suffix == ".npz" else DARTsortSorting.from_peeling_hdf5
        sorting = read(path)
        told = described(sorting, [*OWN, *sorting.spike_feature_dict])
        path.with_name(path.name + ".json").write_text(json.dumps(told), encoding="utf-8")
        if path.suffix == ".npz":
            sorting.save(path.with_suffix(".again.npz"))


def sorting_files(folder: Path) -> list[Path]:
    """The files of a folder that hold a sorting or detected events."""
    found = sorted([*folder.glob("*.npz"), *folder.glob("*.h5")])
    return [path for path in found if not path.stem.endswith(".again") and _has_spikes(path)]


def _has_spikes(path: Path) -> bool:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return "times_samples" in stored
    import h5py

    with h5py.File(path, "r") as stored:
        return "times_samples" in stored


def described(sorting: Any, names: Any) -> dict[str, Any]:
    """Sampling rate, and type, shape and digest of each array; None for an array that a sorting has not.

    Whole numbers are compared as int64: the two readers keep them in integers of different lengths.
    """
    told: dict[str, Any] = {"sampling_frequency": float(sorting.sampling_frequency)}
    for name in dict.fromkeys(names):
        values = getattr(sorting, name, None)
        if values is not None:
            values = np.asarray(values)
            values = np.ascontiguousarray(values, dtype=np.int64 if values.dtype.kind == "i" else None)
            digest = hashlib.sha256(values.tobytes(), usedforsecurity=False).hexdigest()[:16]
            values = [values.dtype.str, list(values.shape), digest]
        told[name] = values
    return told


def _sort(folder: Path, out: Path) -> None:
    from dartsort import DARTsortUserConfig, dartsort
    from peer import DARTSORT, prepared, weights

    out.mkdir(parents=True)
    recording = prepared(folder)
    if "inter_sample_shift" in recording.get_property_keys():
        recording.delete_property("inter_sample_shift")
    recording = recording.save(folder=out / "recording")
    given = {**DARTSORT["dartsort-still"], **weights()}
    dartsort(recording, out / "sorted", DARTsortUserConfig(device="cpu", save_intermediates=True, **given))


if __name__ == "__main__":
    main(*sys.argv[1:])
