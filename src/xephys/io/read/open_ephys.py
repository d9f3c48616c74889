"""Open Ephys binary: handle lost samples, and files of unexpected length.

Beside ``continuous.dat`` there is a file with the number of each sample (``sample_numbers.npy``, before version 0.6
``timestamps.npy``), of which Neo uses only the first. Where the numbers jump, samples were lost, and everything after
the jump would come too early. The recording is therefore split there into segments, each with its own start.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import RecordingError, warn_user
from ...graph.build import to_dask
from ...graph.compose.splice import SplicedSource
from ...graph.plan import Plan
from ...recording.stages import recording_plan
from ...schema import SEGMENT_START, time_coordinate

#: How many numbers are examined at a time.
_BLOCK = 2**22
#: More jumps than this mean that the numbers are not sample numbers.
N_JUMPS_MAX = 1000


def split_at_lost_samples(recording: Any, pieces: Sequence[xr.DataArray]) -> list[xr.DataArray]:
    """The segments, split where samples were lost.

    Parameters
    ----------
    recording
        SpikeInterface's recording of an Open Ephys binary folder.
    pieces
        Its segments, lazily.

    Raises
    ------
    RecordingError
        If the sample numbers jump more than 1000 times.

    Warns
    -----
    XephysWarning
        If samples were lost, or there are more or fewer samples than numbers.
    """
    reader, block = recording.neo_reader, recording.block_index
    buffer = int(reader.header["signal_streams"][recording.stream_index]["buffer_id"])
    out: list[xr.DataArray] = []
    for index, piece in enumerate(pieces):
        stream = reader._sig_streams[block][index][buffer]
        file, row = Path(stream["raw_filename"]), 2 * len(stream["channels"])
        if file.stat().st_size % row:
            _warn(f"{file} ends within a sample, so it was cut; using the {piece.sizes['time']} that are whole")
        out += _pieces_at_jumps(piece, file, _numbers_beside(file))
    return out


def jumps_of(numbers: Any) -> NDArray[np.int64]:
    """Positions of the first number after each jump, where consecutive numbers do not follow each other.

    Examples
    --------
    >>> jumps_of(np.array([7, 8, 9, 20, 21, 3])).tolist()
    [3, 5]
    """
    found = [
        start + 1 + np.flatnonzero(np.diff(np.asarray(numbers[start : start + _BLOCK + 1])) != 1)
        for start in range(0, max(0, len(numbers) - 1), _BLOCK)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _pieces_at_jumps(piece: xr.DataArray, file: Path, numbers: Any) -> list[xr.DataArray]:
    n_samples, rate = piece.sizes["time"], float(piece.attrs["sampling_frequency"])
    if numbers is None:
        return [piece]
    if len(numbers) != n_samples:
        _warn(
            f"{file} holds {n_samples} samples and the file beside it numbers {len(numbers)}: one of them was cut or "
            f"copied in part; using the {n_samples} samples that are there"
        )
    jumps = jumps_of(numbers[:n_samples])
    if len(jumps) > N_JUMPS_MAX:
        raise RecordingError(
            f"the sample numbers beside {file} jump {len(jumps)} times, more than {N_JUMPS_MAX}: they are not those of "
            "its samples; move the file with the numbers away to open the samples as one stretch"
        )
    if not len(jumps):
        return [piece]
    lost = [int(numbers[k]) - int(numbers[k - 1]) - 1 for k in jumps]
    _warn(
        f"the sample numbers beside {file} jump {len(jumps)} times ({sum(n for n in lost if n > 0)} samples were lost, "
        f"the first at {int(numbers[jumps[0]]) / rate:.6g} s); opened as {len(jumps) + 1} segments"
    )
    edges = [0, *jumps.tolist(), n_samples]
    return [_part(piece, a, b, int(numbers[a]) / rate) for a, b in pairwise(edges)]


def _part(piece: xr.DataArray, start: int, stop: int, start_s: float) -> xr.DataArray:
    """Samples ``[start, stop)`` as a recording of its own: unlike a slice, its filters must not see across the jump."""
    whole = recording_plan(piece)
    source = SplicedSource(whole.source, (start,), stop - start, 0)
    chunk_samples = max(whole.chunks)
    rate = whole.sampling_frequency
    data = to_dask(Plan.of_source(source, sampling_frequency=rate, chunk_samples=chunk_samples))
    part = piece.isel(time=slice(start, stop)).copy(data=data).drop_vars("time")
    part.attrs[SEGMENT_START] = start_s
    return part.assign_coords(time_coordinate(stop - start, rate, start_s))


def _numbers_beside(file: Path) -> Any:
    """The memory-mapped sample numbers; None if there are none, or if the file has times in seconds instead."""
    for name in ("sample_numbers.npy", "timestamps.npy"):
        beside = file.with_name(name)
        if beside.is_file():
            try:
                numbers = np.load(beside, mmap_mode="r", allow_pickle=False)
            except ValueError as error:
                _warn(f"{beside} cannot be read ({error}), so that lost samples would not be seen")
                return None
            return numbers if numbers.dtype.kind in "iu" and numbers.ndim == 1 else None
    return None


def _warn(sentence: str) -> None:
    warn_user(sentence)
