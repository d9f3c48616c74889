"""Open the recording or sorting at a path given on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ..checks import check_exists
from ..errors import ParameterError


def open_segments(paths: Sequence[Path], *, segment: int | None = None, **options: Any) -> xr.DataArray | xr.DataTree:
    """Open recordings to be sorted together: all their segments, or the same segment of each.

    Raises
    ------
    RecordingError
        If they differ in channels, their places or gains, sample type, unit or sampling frequency.
    """
    from ..io.read.open import open_recording
    from ..recording.segments import append_segments, segments_of

    opened = append_segments([open_recording(path, segment=segment, **options) for path in paths])
    pieces = segments_of(opened)
    return pieces[0] if len(pieces) == 1 else opened


def filtered(recording: xr.DataArray | xr.DataTree, *, freq_min_hz: float) -> xr.DataArray | xr.DataTree:
    """The recording, or each of its segments, high-passed as waveforms are to be; as it is if the corner is 0."""
    from ..preprocess.filter import highpass_filter
    from ..recording.segments import segments_of, tree_of

    if not freq_min_hz:
        return recording
    pieces = [highpass_filter(part, freq_min_hz=freq_min_hz) for part in segments_of(recording)]
    return pieces[0] if len(pieces) == 1 else tree_of(pieces)


def find_sorting(path: Path, *, truth: bool = False, trust: bool = False) -> xr.DataTree:
    """The sorting at a path, in any form that :func:`xephys.open_sorting` opens.

    If a folder holds both a sorting and the truth, ``truth`` selects the latter. With ``trust``, files are loaded even
    if that runs code stored in them.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    RecordingError
        If it is not a sorting, or loading it would run code and it is not trusted.
    """
    check_exists(path)
    from ..io.read.sortings import open_sorting

    if truth and (path / "truth.zarr").is_dir():
        path = path / "truth.zarr"
    return open_sorting(path, trust=trust)


def find_learned(path: Path) -> xr.DataTree:
    """The result of an earlier ``xephys sort``, for its templates.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ParameterError
        If it is another kind of sorting.
    """
    found = find_sorting(path)
    if "learned" not in found.children:
        raise ParameterError(f"{path} is not a result of xephys sort, so it has learned nothing; give such a folder")
    return found
