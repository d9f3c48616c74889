"""Find recorded data below a path, which a result never replaces: it may be the only copy."""

from __future__ import annotations

import os
from pathlib import Path

#: Endings of files with traces; no result of ours holds such a file.
_ENDINGS = (
    ".bin", ".brw", ".cbin", ".continuous", ".dat", ".edf", ".mda", ".ncs", ".ns4", ".ns5", ".ns6", ".pl2", ".plx",
    ".raw", ".rhd", ".rhs", ".sev", ".smr", ".smrx", ".tev",
)  # fmt: skip
_ZARR_MARKS = {".zgroup", ".zarray", "zarr.json"}
#: Traces of a saved recording: in its Zarr store, and in its folder of files.
_ZARR_TRACES, _FILE_OF_TRACES = "traces", "traces_cached_seg"


def find_raw_data(path: Path, *, saved_recordings: bool = True) -> Path | None:
    """A file or Zarr array with traces at or below a path; None if there is none.

    Parameters
    ----------
    path
        A file or a folder.
    saved_recordings
        Whether traces that :func:`xephys.save_recording` wrote count.

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
        return path if path.name.lower().endswith(_ENDINGS) else None
    for place, folders, files in os.walk(path):
        here = Path(place)
        if _ZARR_MARKS & set(files):  # its arrays may have millions of files
            traces = [name for name in folders if name.startswith(_ZARR_TRACES)]
            folders.clear()
            if traces and saved_recordings:
                return here / traces[0]
            continue
        for name in sorted(files):
            saved = name.startswith(_FILE_OF_TRACES)
            if name.lower().endswith(_ENDINGS) and (saved_recordings or not saved):
                return here / name
    return None
