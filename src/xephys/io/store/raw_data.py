"""Find recorded data below a path, which a result never replaces: it may be the only copy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...schema import TRACES

#: Endings of files with samples or detected spikes, as acquisition systems write them; no result of ours has one.
_ENDINGS = (
    ".abf", ".bdf", ".bin", ".brw", ".bxr", ".cbin", ".continuous", ".dat", ".edf", ".i16", ".mcd", ".mda", ".ncs",
    ".nev", ".nse", ".nst", ".ntt", ".openephys", ".pl2", ".plx", ".raw", ".rec", ".rhd", ".rhs", ".set", ".sev",
    ".smr", ".smrx", ".tbk", ".tev", ".tsq", ".xdat", *(f".ns{k}" for k in range(1, 10)),
)  # fmt: skip
#: What a recording is packed in to save space.
_PACKED = (".7z", ".bz2", ".gz", ".tar", ".xz", ".zip", ".zst")
_HDF5 = (".h5", ".hdf", ".hdf5", ".kwd", ".nwb")
#: Groups of an NWB file with what was measured. A file that was exported from a sorting has nothing in them.
_NWB_MEASURED = ("acquisition", "analysis", "intervals", "processing", "scratch", "stimulus")
#: In dartsort's HDF5 files of spikes and their features.
_DARTSORT_SPIKES = "times_samples"
#: Traces of a saved recording: in its Zarr store, and in its folder of files.
_ZARR_TRACES, _FILE_OF_TRACES = "traces", "traces_cached_seg"


def find_raw_data(path: Path, *, saved_recordings: bool = True) -> Path | None:
    """A file, Zarr array or Zarr group with recorded data at or below a path; None if there is none.

    Parameters
    ----------
    path
        A file or a folder.
    saved_recordings
        Whether traces count that :func:`xephys.save_recording` or Xarray's ``to_zarr`` wrote.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "params.py").touch()
    ...     before = find_raw_data(Path(folder))
    ...     (Path(folder) / "recording.dat").touch()
    ...     before is None, find_raw_data(Path(folder)).name
    (True, 'recording.dat')
    """
    if path.is_file():
        return path if _is_recorded(path) else None
    for place, folders, files in os.walk(path):
        here = Path(place)
        arrays = {name: dims for name in sorted(folders) if (dims := _dims_of_zarr(here / name)) is not None}
        folders[:] = [name for name in folders if name not in arrays]  # an array may have millions of files
        if "acquisition" in folders and any((here / "acquisition").iterdir()):  # NWB in a Zarr store
            return here / "acquisition"
        for name, dims in arrays.items() if saved_recordings else ():
            if name.startswith(_ZARR_TRACES) or dims == TRACES.dims:
                return here / name
        for name in sorted(files):
            saved = name.startswith(_FILE_OF_TRACES)
            if (saved_recordings or not saved) and _is_recorded(here / name):
                return here / name
    return None


def _is_recorded(file: Path) -> bool:
    name = file.name.lower()
    return name.endswith((*_ENDINGS, *_PACKED)) or (name.endswith(_HDF5) and _is_recorded_hdf5(file))


def _is_recorded_hdf5(file: Path) -> bool:
    """Whether an HDF5 file holds more than a sorting; so it is taken for one that cannot be read."""
    try:
        import h5py

        with h5py.File(file, "r") as opened:
            if "nwb_version" in opened.attrs:
                return any(_has_arrays(opened[name]) for name in _NWB_MEASURED if name in opened)
            return _DARTSORT_SPIKES not in opened
    except (ImportError, OSError):  # the latter also of a file that is being written
        return True


def _has_arrays(group: Any) -> bool:
    """Whether there is an array at any depth: some groups of an NWB file are always there."""
    return bool(group.visititems(lambda _, one: None if hasattr(one, "visititems") else True))


def _dims_of_zarr(folder: Path) -> tuple[str, ...] | None:
    """Names of the dimensions of a Zarr array, none if they are not stored; None if the folder is no array."""
    for array, names in ((".zarray", ".zattrs"), ("zarr.json", "zarr.json")):
        if not (folder / array).is_file():
            continue
        try:
            about = json.loads((folder / names).read_text(encoding="utf8")) if (folder / names).is_file() else {}
        except ValueError:
            return ()
        if array == "zarr.json" and about.get("node_type") != "array":
            return None
        return tuple(about.get("_ARRAY_DIMENSIONS") or about.get("dimension_names") or ())
    return None
