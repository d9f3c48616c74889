"""Raw binary files: open one without metadata, and write one chunk of one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...checks import sample_type
from ...errors import ParameterError, RecordingError
from ...graph.build import to_dask
from ...graph.plan import Array, Plan
from ...graph.source import BinarySource, file_token
from ...schema import make_recording
from .probe import probe_coordinates, read_probe, warn_left_out


def open_binary(
    path: Path,
    *,
    sampling_frequency: float,
    n_channels: int,
    dtype: Any = "int16",
    time_axis: int = 0,
    offset_bytes: int = 0,
    gain_to_uv: Any = None,
    offset_to_uv: Any = None,
    channel_ids: Any = None,
    probe: Any = None,
    start_s: float = 0.0,
    chunk_duration_s: float = 2.0,
    ignore_trailing_bytes: bool = False,
) -> xr.DataArray:
    """Open a raw binary file as a lazy recording. Parameters as for :func:`xephys.open_recording`.

    Raises
    ------
    RecordingError
        If the file is empty, or not a whole number of samples long.
    ParameterError
        If a parameter is out of range.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".bin") as file:
    ...     np.zeros((3000, 4), "int16").tofile(file.name)
    ...     open_binary(Path(file.name), sampling_frequency=30_000.0, n_channels=4).shape
    (3000, 4)
    """
    known = sample_type(dtype)
    n_samples = _samples_of(
        path, sampling_frequency=sampling_frequency, n_channels=n_channels, dtype=known, time_axis=time_axis,
        offset_bytes=offset_bytes, ignore_trailing_bytes=ignore_trailing_bytes,
    )  # fmt: skip
    kept: tuple[int, ...] | None = None
    if channel_ids is not None and len(channel_ids) != n_channels:
        raise RecordingError(f"{len(channel_ids)} channel_ids for {n_channels} channels; give one for each")
    coordinates: dict[str, Any] = {}
    attributes: dict[str, Any] = {"source": str(path.absolute())}
    if gain_to_uv is not None:
        coordinates["gain_to_uv"] = per_channel("gain_to_uv", gain_to_uv, n_channels)
        coordinates["offset_to_uv"] = per_channel(
            "offset_to_uv", 0.0 if offset_to_uv is None else offset_to_uv, n_channels
        )
    elif offset_to_uv is not None:
        raise ParameterError("offset_to_uv is given without gain_to_uv; give both")
    if probe is not None:
        group, channels = read_probe(probe, n_channels=n_channels)
        if len(channels) < n_channels:
            names = np.arange(n_channels) if channel_ids is None else np.asarray(channel_ids)
            warn_left_out(names, channels)
            kept, channel_ids = tuple(channels.tolist()), names[channels]
            coordinates = {name: values[channels] for name, values in coordinates.items()}
        positions, more = probe_coordinates(group, by_wiring=True)
        coordinates, attributes = coordinates | positions, attributes | more
    source = BinarySource(
        str(path.absolute()),
        known.str,
        n_channels,
        n_samples,
        offset_bytes=offset_bytes,
        time_axis=time_axis,
        channels=kept,
        content=file_token(path),
    )
    chunk_samples = max(1, round(chunk_duration_s * sampling_frequency))
    plan = Plan.of_source(source, sampling_frequency=sampling_frequency, chunk_samples=chunk_samples)
    return make_recording(
        to_dask(plan),
        sampling_frequency=sampling_frequency,
        channel_ids=channel_ids,
        start_s=start_s,
        coordinates=coordinates,
        attributes=attributes,
    )


def _samples_of(
    path: Path,
    *,
    sampling_frequency: float,
    n_channels: int,
    dtype: np.dtype[Any],
    time_axis: int,
    offset_bytes: int,
    ignore_trailing_bytes: bool,
) -> int:
    """The number of samples in a file, if all that describes it fits together."""
    if time_axis not in (0, 1):
        raise ParameterError(
            f"time_axis is {time_axis}; give 0 (samples of all channels together) or 1 (channel by channel)"
        )
    if n_channels < 1:
        raise ParameterError(f"n_channels is {n_channels}; a recording has at least 1 channel")
    if not sampling_frequency > 0:
        raise ParameterError(f"sampling_frequency is {sampling_frequency}; give it in hertz, above 0")
    size, row = path.stat().st_size, n_channels * dtype.itemsize
    n_samples, trailing = divmod(size - offset_bytes, row)
    if size <= offset_bytes or n_samples == 0:
        raise RecordingError(
            f"{path} has {size} bytes and offset_bytes is {offset_bytes}: there is not one sample of {n_channels} "
            f"channels ({row} bytes) in it; was the copy interrupted?"
        )
    if trailing and not ignore_trailing_bytes:
        raise RecordingError(
            f"{path} has {size - offset_bytes} bytes of samples, which is {n_samples} samples of {n_channels} channels "
            f"of {dtype.name} and {trailing} bytes more: n_channels, dtype or offset_bytes is wrong, or the "
            "file was cut; if it was cut, give ignore_trailing_bytes=True (--reader ignore_trailing_bytes=True)"
        )
    if trailing and time_axis == 1:
        raise RecordingError(
            f"{path} lies channel by channel and is {trailing} bytes too long or short: its channels "
            "cannot be told apart; copy the file again"
        )
    return n_samples


def per_channel(name: str, value: Any, n_channels: int) -> Any:
    """One number for all channels, or one per channel, as an array."""
    values = np.asarray(value, np.float64)
    if not np.isfinite(values).all() or (name == "gain_to_uv" and not values.all()):
        above = ", and not 0, which would lose the traces" if name == "gain_to_uv" else ""
        raise RecordingError(f"{name} holds {values.min():g} to {values.max():g}; give finite numbers{above}")
    if values.ndim and values.shape != (n_channels,):
        raise RecordingError(
            f"{name} has shape {values.shape} for {n_channels} channels; give one number, or one per channel"
        )
    return np.broadcast_to(values, (n_channels,)).copy()


def sidecar_of(path: Path) -> dict[str, Any] | None:
    """The contents of the JSON file written beside a raw binary file, if there is one."""
    for candidate in (path.with_suffix(".json"), path.with_name(path.name + ".json")):
        if candidate.is_file() and candidate != path:
            try:
                found = json.loads(candidate.read_text(encoding="utf8"))
            except ValueError:
                continue
            if isinstance(found, dict) and {"sampling_frequency", "n_channels"} <= set(found):
                return found
    return None


def allocate(path: Path, *, n_bytes: int) -> None:
    """Create a file of this length, asking the disk for the space if it supports that."""
    with path.open("wb") as file:
        if n_bytes and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        file.truncate(n_bytes)


def write_rows(block: Array, *, path: str, first_row: int) -> None:
    """Write rows of a time-major file in their place."""
    raw = np.ascontiguousarray(block)
    with Path(path).open("r+b", buffering=0) as file:
        file.seek(first_row * raw.shape[1] * raw.itemsize)
        remaining = memoryview(raw.view(np.uint8).reshape(-1))
        while remaining:
            remaining = remaining[file.write(remaining) :]
