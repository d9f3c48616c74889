"""What the command line does with a path: the recording or the sorting that is there, fit for what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ParameterError, RecordingError


def one_segment(path: Path, *, segment: int | None = None, **options: Any) -> xr.DataArray:
    """Open a recording that must have, or be cut down to, one segment.

    Raises
    ------
    RecordingError
        If it has several and none is named.
    """
    from ..io.read.open import open_recording
    from ..recording.segments import segments_of

    pieces = segments_of(open_recording(path, segment=segment, **options))
    if len(pieces) > 1:
        raise RecordingError(
            f"{path} has {len(pieces)} segments and they are sorted one by one; give --segment 0 to {len(pieces) - 1}"
        )
    return pieces[0]


def find_sorting(path: Path, *, truth: bool = False, trust: bool = False) -> Any:
    """The sorting at a path: a store of ours, a folder of ``xephys sort`` or ``xephys simulate``, a phy folder, an
    ``.npz`` with the arrays ``sample``, ``unit`` and ``sampling_frequency``, or whatever SpikeInterface loads.

    Of a folder with both a sorting and the truth, it is the truth where that is asked for. With ``trust`` files are
    loaded even if that runs code of whoever wrote them.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    RecordingError
        If it is no sorting, or loading it would run code and it is not trusted.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path.absolute()} does not exist; check the path")
    from ..io.read.trust import check_parameters, load_spikeinterface
    from ..io.store.sorting import open_sorting

    names = ("truth.zarr", "sorting.zarr") if truth else ("sorting.zarr", "truth.zarr")
    for store in (*(path / name for name in names), path):
        if store.suffix == ".zarr" and store.is_dir():
            return open_sorting(store)
    if path.suffix == ".npz":
        return _of_arrays(path)
    if (path / "params.py").is_file():
        from spikeinterface.extractors import read_phy

        if not trust:
            check_parameters(path / "params.py")  # SpikeInterface runs it
        return read_phy(path)
    from spikeinterface import BaseSorting

    found = load_spikeinterface(path, trust=trust, what="sorting")
    if not isinstance(found, BaseSorting):
        raise RecordingError(f"{path} holds a {type(found).__name__}, not a sorting")
    return found


def find_learned(path: Path) -> xr.DataTree:
    """The sorting of an earlier ``xephys sort`` at a path, for its templates.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ParameterError
        If it is a sorting of another kind.
    """
    found = find_sorting(path)
    if not isinstance(found, xr.DataTree):
        raise ParameterError(f"{path} is no result of xephys sort, so it has learned nothing; give the folder of one")
    return found


def _of_arrays(path: Path) -> Any:
    from spikeinterface import NumpySorting

    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, EOFError, OSError, AttributeError) as error:
        raise RecordingError(f"{path} is not an .npz file of arrays ({error})") from error
    missing = {"sample", "unit", "sampling_frequency"} - set(arrays)
    if missing:
        raise RecordingError(
            f"{path} has no array {', '.join(sorted(missing))}; it needs sample, unit, sampling_frequency"
        )
    sample, unit = arrays["sample"].astype(np.int64), arrays["unit"].astype(np.int64)
    rate = float(arrays["sampling_frequency"])
    return NumpySorting.from_samples_and_labels([sample], [unit], rate, unit_ids=np.unique(unit))
