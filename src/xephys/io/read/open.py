"""``open_recording``: open any file as a lazy recording."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import xarray as xr

from ...checks import check_exists, hint_for
from ...errors import ParameterError, RecordingError, warn_user
from ...recording.geometry import warn_odd_spacing
from ...recording.segments import segments_of, tree_of
from ...schema import channel_coordinate
from ...typing import PathLike
from .binary import open_binary, per_channel, sidecar_of
from .format_hints import packed_remedy
from .formats import Format, detect_format, format_named
from .one_file import FOLDER_FORMATS, file_of_stream, narrowed_arguments, pieces_of_file
from .open_ephys import split_at_lost_samples
from .probe import PROBE_COORDINATES, probe_coordinates, read_probe, warn_left_out
from .reader_options import check_reader_options, reader_parameters
from .si_reader import read_with_spikeinterface, reader_class
from .trust import check_spikeinterface, check_zarr, load_spikeinterface

#: Formats opened without a reader of SpikeInterface, so there is nothing to take further arguments.
_OWN_FORMATS = ("zarr", "si-folder", "si-dump")
#: Fields of a raw binary file that the JSON file beside it may give.
_IN_SIDECAR = ("sampling_frequency", "n_channels", "dtype", "time_axis", "offset_bytes", "gain_to_uv", "offset_to_uv")
_IN_SIDECAR += ("channel_ids", "probe", "start_s")
#: Numeric fields, which people also write as ``1024.0`` or ``"1"``.
_NUMBERS: dict[str, Any] = {"sampling_frequency": float, "n_channels": int, "time_axis": int, "offset_bytes": int}
_NUMBERS |= {"start_s": float}


def open_recording(
    path: PathLike,
    *,
    chunk_duration_s: float = 2.0,
    stream_id: str | None = None,
    segment: int | None = None,
    probe: Any = None,
    sampling_frequency: float | None = None,
    n_channels: int | None = None,
    dtype: Any = None,
    gain_to_uv: Any = None,
    offset_to_uv: Any = None,
    time_axis: int | None = None,
    offset_bytes: int | None = None,
    channel_ids: Any = None,
    ignore_trailing_bytes: bool = False,
    format: str | None = None,
    trust: bool = False,
    **reader_options: Any,
) -> xr.DataArray | xr.DataTree:
    """Open a recording lazily, whatever its format; only headers are read.

    Parameters
    ----------
    path
        A file or a folder. The format is detected from its name and content: raw binary (if ``n_channels`` and
        ``sampling_frequency`` are given here or in a ``.json`` file beside it; arguments override the file), Zarr,
        SpikeInterface folders and dumps, SpikeGLX, Open Ephys (binary and legacy), Intan, Blackrock, Neuralynx, Plexon,
        NWB, and others that SpikeInterface reads.
    chunk_duration_s
        Length of a chunk; it affects how much a task works on, never a result.
    stream_id
        Id or name of the stream to open, if the file holds several. By default, auxiliary, digital and synchronization
        streams are set aside and the action-potential band is preferred; if the path is one file of a folder, the
        stream of that file is opened. For NWB, the path of the ElectricalSeries.
    segment
        Number of the segment to open, if there are several; by default, all of them as a DataTree.
    probe
        Path of a ProbeInterface file, a ProbeInterface object, or positions ``(channel, 2)`` in µm; or, if no positions
        are known, which channels see the same neurons: ``"together"`` (all of them), ``"tetrodes"`` (four consecutive
        channels each) or ``"apart"`` (none). Replaces the probe described in the file. Channels that the wiring of the
        probe (``device_channel_indices``) connects to no contact, such as sync channels, are left out with a warning.
    sampling_frequency, n_channels, dtype, time_axis, offset_bytes, channel_ids, ignore_trailing_bytes
        Description of a raw binary file: rate in hertz, number of channels, type of a sample (int16), 0 if the channels
        of a sample are contiguous (default) or 1 if the samples of a channel are, length of a header (0), names of the
        channels, and whether to drop an incomplete last sample instead of refusing it. Other formats contain this
        information.
    gain_to_uv, offset_to_uv
        µV per count and µV at zero counts, one number or one per channel; they replace those of the file.
        Floating-point samples of a format without gains are assumed to be in µV unless a gain is given here.
    format
        Name of the format, to skip its detection.
    trust
        Open the file even if that runs code written by whoever made it: pickled dumps of SpikeInterface, and its
        folders and stores that contain pickles. Use it for your own files only.
    reader_options
        Further arguments of SpikeInterface's reader, such as ``experiment_name="experiment1"`` for Open Ephys; raw
        binary files, Zarr, SpikeInterface folders and dumps accept none.

    Returns
    -------
    The recording; for several segments, a DataTree with nodes ``segment_0``, ``segment_1``, …

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    RecordingError
        If the format is unknown, the file is empty or truncated, the stream or probe does not fit, or opening the file
        would run code and it is not trusted.
    ParameterError
        If an argument would be ignored, such as a misspelled name (the nearest one is suggested) or the ``dtype`` of a
        Zarr store.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.NamedTemporaryFile(suffix=".bin") as file:
    ...     np.zeros((3000, 4), "int16").tofile(file.name)
    ...     rec = open_recording(file.name, sampling_frequency=30_000.0, n_channels=4, gain_to_uv=0.195)
    >>> rec.sizes["channel"], rec.attrs["units"]
    (4, 'counts')
    """
    place = Path(path)
    check_exists(place)
    if not chunk_duration_s > 0:
        raise ParameterError(f"chunk_duration_s is {chunk_duration_s}; give seconds above 0")
    if place.is_file() and place.stat().st_size == 0:
        raise RecordingError(f"{place} is empty (0 bytes); was the copy interrupted?")
    of_raw_file = {
        "sampling_frequency": sampling_frequency,
        "n_channels": n_channels,
        "dtype": dtype,
        "time_axis": time_axis,
        "offset_bytes": offset_bytes,
        "channel_ids": channel_ids,
        "ignore_trailing_bytes": ignore_trailing_bytes or None,
    }
    given = {name: value for name, value in of_raw_file.items() if value is not None}
    place = file_of_stream(place)
    sidecar = sidecar_of(place) if place.is_file() and format is None else None
    if n_channels is not None or sidecar is not None:
        if place.is_dir():
            raise RecordingError(
                f"{place} is a folder; n_channels describes a raw binary file: give the path of the file"
            )
        if format is not None:
            raise ParameterError(f"format is {format!r} and n_channels describes a raw binary file; give one of them")
        _check_unread(place, "a raw binary file", reader_options, stream_id)
        scaling_and_probe = {"gain_to_uv": gain_to_uv, "offset_to_uv": offset_to_uv, "probe": probe}
        pieces = [_open_raw(place, sidecar or {}, given | scaling_and_probe, chunk_duration_s)]
    else:
        try:
            known, found = detect_format(place) if format is None else format_named(format, place)
        except RecordingError:
            _check_description(given, reader_options)
            raise
        if given:
            raise ParameterError(
                f"{', '.join(given)} would describe a raw binary file, and {place} is {known.description}, which says "
                "it itself; leave it out"
            )
        opened = _open_known(known, place, found, chunk_duration_s, stream_id, reader_options, trust=trust)
        pieces = [_with_given(piece, place, probe, gain_to_uv, offset_to_uv) for piece in opened]
    warn_odd_spacing(pieces[0])
    if segment is not None:
        if not 0 <= segment < len(pieces):
            raise RecordingError(f"segment {segment} does not exist; {place} has {len(pieces)}, counted from 0")
        return pieces[segment]
    return pieces[0] if len(pieces) == 1 else tree_of(pieces)


def _own_parameters() -> list[str]:
    return [p.name for p in inspect.signature(open_recording).parameters.values() if p.kind is not p.VAR_KEYWORD]


def _check_description(given: dict[str, Any], options: dict[str, Any]) -> None:
    """Refuse an incomplete or misspelled description of a raw binary file, which no format is recognized in."""
    for name in options:
        hint = hint_for(name, _own_parameters())
        if hint:
            raise ParameterError(f"open_recording has no parameter {name!r}{hint}")
    if given:
        raise ParameterError(
            f"{' and '.join(given)} would describe a raw binary file, which needs n_channels too; give it"
        )


def _check_unread(path: Path, what: str, options: dict[str, Any], stream_id: str | None) -> None:
    """Refuse arguments that would be silently ignored because no reader of SpikeInterface takes them."""
    check_reader_options(options, (), _own_parameters(), what=f"{what}, as {path} is")
    if stream_id is not None:
        raise ParameterError(f"stream_id is {stream_id!r}, and {path} is {what}, which has no streams; leave it out")


def _open_raw(path: Path, sidecar: dict[str, Any], given: dict[str, Any], chunk_duration_s: float) -> xr.DataArray:
    """Open a raw binary file from the given arguments, completed by the file beside it."""
    packed = packed_remedy(path)
    if packed:
        raise RecordingError(f"{path} would be read as raw samples, and {packed}")
    described = {name: sidecar[name] for name in _IN_SIDECAR if sidecar.get(name) is not None}
    if "probe" in described:
        described["probe"] = path.parent / described["probe"]
    described |= {name: value for name, value in given.items() if value is not None}
    if "sampling_frequency" not in described:
        raise ParameterError("n_channels is given without sampling_frequency; a raw binary file needs both")
    numbers = {name: kind(described[name]) for name, kind in _NUMBERS.items() if name in described}
    return open_binary(path, **(described | numbers), chunk_duration_s=chunk_duration_s)


def _open_known(
    known: Format,
    place: Path,
    found: Path,
    chunk_duration_s: float,
    stream_id: str | None,
    options: dict[str, Any],
    *,
    trust: bool,
) -> list[xr.DataArray]:
    """The segments of a path in a known format; ``found`` is what its reader takes."""
    if known.name in _OWN_FORMATS:
        _check_unread(found, known.description, options, stream_id)
    if known.name == "zarr":
        from ..store.zarr import open_zarr

        if not trust:
            check_zarr(found)
        return segments_of(open_zarr(found, chunk_duration_s=chunk_duration_s))
    from ..bridge.spikeinterface import from_spikeinterface

    if known.name == "si-folder":
        from ..store.save import open_binary_folder

        if not trust:
            check_spikeinterface(found)
        return segments_of(open_binary_folder(found, chunk_duration_s=chunk_duration_s))
    if known.name == "si-dump":
        loaded = load_spikeinterface(found, trust=trust)
        return segments_of(from_spikeinterface(loaded, chunk_duration_s=chunk_duration_s))
    of_file = known.name in FOLDER_FORMATS and place.is_file()
    if of_file:
        stream_id, options = narrowed_arguments(known.name, place, stream_id=stream_id, options=options)
    accepted = reader_parameters(reader_class(known))
    check_reader_options(options, accepted, _own_parameters(), what=f"{known.description}, as {place} is")
    recording = read_with_spikeinterface(known, found, stream_id=stream_id, options=options)
    pieces = segments_of(from_spikeinterface(recording, chunk_duration_s=chunk_duration_s))
    if of_file:
        pieces = pieces_of_file(known.name, place, recording, pieces)
    if known.name == "spikeglx":
        _check_meta(recording, place)
    if known.name == "openephys-binary":
        pieces = split_at_lost_samples(recording, pieces)
    return pieces


def _check_meta(recording: Any, place: Path) -> None:
    """Warn if a SpikeGLX file is not as long as its ``.meta`` says; checks only the named file, if a file was named."""
    for info in recording.neo_reader.signals_info_list:
        file = Path(info["bin_file"])
        if info["stream_name"] != recording.stream_name or not file.is_file():
            continue
        if place.is_file() and file.resolve() != place.resolve():
            continue
        said, found = int(info["meta"].get("fileSizeBytes", 0)), file.stat().st_size
        if said and said != found:
            there = found // (2 * info["num_chan"])
            warn_user(f"{file} has {found} bytes, its .meta says {said}; using the {there} samples that are there")


def _with_given(recording: xr.DataArray, path: Path, probe: Any, gain_to_uv: Any, offset_to_uv: Any) -> xr.DataArray:
    """The recording with the given probe and scaling, and a record of where it came from."""
    recording.attrs.setdefault("source", str(path.absolute()))
    if probe is not None:
        group, channels = read_probe(probe, n_channels=recording.sizes["channel"])
        if len(channels) < recording.sizes["channel"]:
            warn_left_out(recording.channel.values, channels)
            recording = recording.isel(channel=channels)
        coordinates, attributes = probe_coordinates(group, by_wiring=True)
        recording = recording.drop_vars([name for name in PROBE_COORDINATES if name in recording.coords])
        recording = recording.assign_coords(
            {name: channel_coordinate(name, values) for name, values in coordinates.items()}
        )
        recording.attrs.update(attributes)
    return _with_given_scale(recording, path, gain_to_uv, offset_to_uv)


def _with_given_scale(recording: xr.DataArray, path: Path, gain_to_uv: Any, offset_to_uv: Any) -> xr.DataArray:
    """The recording with the given scaling; with a gain, floating-point samples are counts instead of µV.

    Raises
    ------
    ParameterError
        If it would have no effect or be applied twice: an offset without a gain, or traces that were scaled before
        saving.
    """
    given = {"gain_to_uv": gain_to_uv, "offset_to_uv": offset_to_uv}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return recording
    has_gain = "gain_to_uv" in recording.coords
    if has_gain and recording.attrs.get("units") == "uV":
        raise ParameterError(
            f"{' and '.join(given)} would scale counts, and the traces of {path} were saved in uV, with their own "
            "gains applied; leave it out"
        )
    if not has_gain and gain_to_uv is None:
        raise ParameterError("offset_to_uv is given without gain_to_uv; give both")
    if "offset_to_uv" not in recording.coords:
        given.setdefault("offset_to_uv", 0.0)
    n_channels = recording.sizes["channel"]
    scaling = {name: channel_coordinate(name, per_channel(name, value, n_channels)) for name, value in given.items()}
    recording = recording.assign_coords(scaling)
    recording.attrs["units"] = "counts"
    return recording
