"""Open one recording of a batch as the segments that are sorted: epochs, slices, scale and orientation."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import xarray as xr

from ...errors import ParameterError, RecordingError
from ...recording.clock import first_sample
from ...recording.segments import segments_of
from ...recording.slicing import sample_slice
from ...schema import channel_coordinate
from ..classified import HDF5PluginMissingError
from ..config.groups import RecordingConfig
from ..sorter_logs import classify_failure

#: Where HDF5 looks for its filters.
PLUGIN_VARIABLE = "HDF5_PLUGIN_PATH"


def load_segments(given: Any, config: RecordingConfig, *, chunk_duration_s: float = 2.0) -> list[xr.DataArray]:
    """The segments of a recording: its epochs if there are any, lazily.

    Raises
    ------
    HDF5PluginMissingError
        If the folder of the filter does not exist, or the file needs a filter that is not found.
    RecordingError
        If the file cannot be read, or is too short for what is wanted of it.
    """
    if config.hdf5_plugin_path is not None:
        if not Path(config.hdf5_plugin_path).is_dir():
            raise HDF5PluginMissingError(
                f"hdf5_plugin_path is {config.hdf5_plugin_path!r} and no such folder exists; give that of the filter",
                configured_path=config.hdf5_plugin_path,
            )
        _add_plugins(config.hdf5_plugin_path)
    try:
        segments = segments_of(_opened(given, config, chunk_duration_s))
    except Exception as error:
        known = classify_failure("", Path(), error)
        if isinstance(known, HDF5PluginMissingError):
            known.configured_path = config.hdf5_plugin_path
            raise known from error
        raise
    return [_flipped(piece, config.mea_y_max) for segment in segments for piece in _epochs(segment, config)]


def _add_plugins(folder: str) -> None:
    """Let HDF5 find filters in a folder: it reads the variable only once, when it is loaded."""
    os.environ[PLUGIN_VARIABLE] = folder
    if "h5py" in sys.modules:
        from h5py import h5pl

        h5pl.prepend(folder.encode())


def _opened(given: Any, config: RecordingConfig, chunk_duration_s: float) -> xr.DataArray | xr.DataTree:
    from ...io.bridge.spikeinterface import from_spikeinterface
    from ...io.read.open import open_recording

    gains = {"gain_to_uv": config.gain_to_uv, "offset_to_uv": config.offset_to_uv}
    if isinstance(given, (str, Path)):
        more = dict(config.reader_options or {})
        return open_recording(given, chunk_duration_s=chunk_duration_s, stream_id=config.stream_id, **gains, **more)
    ours = isinstance(given, (xr.DataArray, xr.DataTree))
    if not ours and not hasattr(given, "get_traces"):
        raise ParameterError(
            f"a recording is given as {type(given).__module__}.{type(given).__name__}; give a path, a recording of "
            "SpikeInterface, or one made by xephys.make_recording(traces, sampling_frequency=...)"
        )
    opened = given if ours else from_spikeinterface(given)
    of_files = {**gains, "stream_id": config.stream_id, "reader_options": config.reader_options}
    wrong = [name for name, value in of_files.items() if value is not None]
    if wrong:
        raise ParameterError(f"{wrong[0]} is for files, and this recording is open already; leave it out")
    return opened


def _epochs(segment: xr.DataArray, config: RecordingConfig) -> list[xr.DataArray]:
    """The parts of a segment that are sorted, each with the sample numbers of the whole."""
    rate, n = float(segment.attrs["sampling_frequency"]), segment.sizes["time"]
    ranges = list(config.rec_chunks) or [(round(a * rate), round(b * rate)) for a, b in config.rec_chunks_s]
    if not ranges:
        stop_s = config.end_time_s if config.first_n_mins is None else 60 * config.first_n_mins
        ranges = [(round((config.start_time_s or 0) * rate), n if stop_s is None else min(n, round(stop_s * rate)))]
    for start, stop in ranges:
        if not 0 <= start < stop <= n:
            raise RecordingError(
                f"samples {start} to {stop} are to be sorted and the recording has {n} ({n / rate:g} s); give a part "
                "of it"
            )
    if ranges == [(0, n)]:
        return [segment]
    begin = first_sample(segment)
    return [sample_slice(segment, begin + start, begin + stop) for start, stop in ranges]


def _flipped(recording: xr.DataArray, y_max: float | None) -> xr.DataArray:
    """The recording with y counted downwards, as some arrays number their rows."""
    if y_max is None or "y" not in recording.coords:
        return recording
    y = recording.coords["y"].values
    top = float(y.max()) if y_max == -1 else y_max
    return recording.assign_coords(y=channel_coordinate("y", top - y))
