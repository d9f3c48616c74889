"""Open a single file of a format whose reader takes a folder, and nothing else from that folder.

SpikeGLX, Open Ephys and Neuralynx spread a recording over several files, and their readers take the folder. If a user
names one of the files, only the stream, segment and channels stored in that file are meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ...errors import ParameterError, RecordingError

#: Formats whose reader takes a folder, but of which a single file may be named.
FOLDER_FORMATS = ("spikeglx", "openephys-binary", "openephys-legacy", "neuralynx")


def file_of_stream(path: Path) -> Path:
    """The file with the samples, if the path is the folder of one stream of Open Ephys; otherwise the path.

    Examples
    --------
    >>> file_of_stream(Path("recording1/continuous")).name
    'continuous'
    """
    samples = path / "continuous.dat"
    inside = samples.is_file() and (path.absolute().parents[1] / "structure.oebin").is_file()
    return samples if inside else path


def narrowed_arguments(
    format_name: str, file: Path, *, stream_id: str | None, options: dict[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """Stream and further arguments with which the folder's reader reads the stream of this file.

    Raises
    ------
    RecordingError
        If the stream of the file cannot be determined.
    ParameterError
        If a stream other than that of the file is requested.
    """
    if format_name == "spikeglx":
        return _chosen_stream(file, _spikeglx_stream(file), stream_id), options
    if format_name == "openephys-binary" and file.name == "continuous.dat":
        return _chosen_stream(file, _openephys_stream(file), stream_id), options
    if format_name == "openephys-legacy":
        return _chosen_stream(file, _legacy_stream(file), stream_id), options
    if format_name == "neuralynx":
        others = [p.name for p in file.parent.iterdir() if p.suffix.lower() == ".ncs" and p.name != file.name]
        return stream_id, {**options, "exclude_filename": [*others, *(options.get("exclude_filename") or ())]}
    return stream_id, options


def pieces_of_file(
    format_name: str, file: Path, recording: Any, pieces: Sequence[xr.DataArray]
) -> Sequence[xr.DataArray]:
    """The segments stored in this file, among those of a folder's reader, with the channels stored in it.

    Parameters
    ----------
    format_name
        Name from :data:`FOLDER_FORMATS`.
    file
        The file that was named.
    recording
        SpikeInterface's recording of its folder.
    pieces
        The segments of that recording, lazily.
    """
    if format_name == "spikeglx":
        infos = recording.neo_reader.signals_info_list
        numbers = {int(info["seg_index"]) for info in infos if _same(info["bin_file"], file)}
        return [piece for number, piece in enumerate(pieces) if number in numbers]
    if format_name == "openephys-legacy":
        reader = recording.neo_reader
        listed = reader._info["continuous"]
        for number, index in enumerate(sorted(listed)):
            for column, other in enumerate(listed[index]):
                if _same(other, file):
                    own = str(reader.header["signal_channels"][column]["id"])
                    names = pieces[number].channel.values.astype(str)
                    return [pieces[number].isel(channel=names == own)]
    return pieces


def _chosen_stream(file: Path, own: str, stream_id: str | None) -> str:
    """The stream of the file, unless another one was requested; the file also holds its synchronization channel."""
    if stream_id is None:
        return own
    if stream_id not in (own, f"{own}-SYNC", f"{own}SYNC", f"{own}_ADC"):
        raise ParameterError(
            f"stream_id is {stream_id!r} and {file} holds {own!r}; leave stream_id out, or open {file.parent}"
        )
    return stream_id


def _spikeglx_stream(file: Path) -> str:
    """The stream according to the file's ``.meta``, from which the reader also takes the names of its streams."""
    from neo.rawio.spikeglxrawio import extract_stream_info, read_meta_file

    meta = file.with_suffix(".meta")
    try:
        return str(extract_stream_info(meta, read_meta_file(meta))["stream_name"])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise RecordingError(f"{meta} does not say which stream it describes ({error}); copy it again") from error


def _openephys_stream(file: Path) -> str:
    """The stream of ``continuous/NAME/continuous.dat``; the name is preceded by the node, if there are nodes."""
    place = file.absolute()
    node = place.parents[4].name
    return f"{node}#{place.parent.name}" if node.startswith("Record") else place.parent.name


def _legacy_stream(file: Path) -> str:
    """The stream of ``100_CH1.continuous`` or ``100_name_CH1_2.continuous``: ``CH``, ``ADC`` or ``AUX``."""
    found = re.search(r"_(CH|ADC|AUX)\d+(_\d+)?$", file.stem)
    if found is None:
        raise RecordingError(
            f"the name of {file} does not say which channel it holds (…_CH1.continuous); open {file.parent}"
        )
    return found[1]


def _same(one: str | Path, other: Path) -> bool:
    return Path(one).resolve() == other.resolve()
