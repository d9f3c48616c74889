"""``xephys rt-learn`` and ``xephys rt-run``: learn sequences, then sort samples by them as they arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import typer
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import OutputError, ParameterError
from ..console import console
from ..options import Debug, Overwrite, RecordingPath, Settings
from ..reading import Reading, with_reading
from ..settings import split_settings


@with_reading
def rt_learn(
    path: RecordingPath,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to save the sequences (.npz).")],
    settings: Settings = [],  # noqa: B006 - Typer reads it and never changes it
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Learn sequences from a few minutes of a recording, for sorting live or offline."""
    from ...io.read.open import open_recording
    from ...realtime.sequences import detect_sequences
    from ...realtime.store import save_sequences

    for place in (out, out.with_name(f"{out.name}.npz")):  # an ending that was left out is appended
        _check_file(place, overwrite=overwrite)
    recording = open_recording(path, **reading)
    sequences = detect_sequences(recording, **split_settings(settings))
    saved = save_sequences(sequences, out)
    console().print(f"{sequences.sizes['sequence']} sequences of {int(sequences['num_spikes'].sum())} spikes: {saved}")


@with_reading
def rt_run(
    sequences: Annotated[Path, typer.Argument(metavar="SEQUENCES", help="File of xephys rt-learn.")],
    source: Annotated[str, typer.Argument(metavar="RECORDING|HOST:PORT", help="What to sort, in blocks.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Table of spikes (.csv); NAME.partial.csv until it is whole.")
    ],
    block_ms: Annotated[float, typer.Option("--block-ms", help="Length of a block.")] = 5.0,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Sort a recording, or int16 samples from a TCP socket, block by block, and say how long each block took."""
    from xarray import DataTree

    from ...io.read.open import open_recording
    from ...realtime.live import Stream
    from ...realtime.sources import blocks_from_socket, blocks_of
    from ...realtime.store import open_sequences

    if out.suffix not in ("", ".csv"):
        raise ParameterError(f"--out is {out.name}, and spikes are written as text with commas; give a name in .csv")
    for place in (out, _unfinished(out)):
        _check_file(place, overwrite=overwrite)
    check_positive(**{"--block-ms": block_ms})
    known = open_sequences(sequences)
    live, rate = Stream(known), float(known.attrs["sampling_frequency"])
    host, colon, port = source.rpartition(":")
    if colon and port.isdigit() and not Path(source).exists():
        size = max(1, round(block_ms * 1e-3 * rate))
        blocks = blocks_from_socket((host, int(port)), n_channels=known.sizes["channel"], block_samples=size)
    else:
        recording = open_recording(source, **reading)
        if isinstance(recording, DataTree):
            raise ParameterError(f"{source} has several segments, and blocks come from one; choose it by --segment 0")
        blocks = blocks_of(recording, block_ms=block_ms)
    # A recording that cannot be opened or does not fit says so before there is a file.
    begun = list(islice(blocks, 1))
    spent, n_spikes = [], 0
    with _growing_table(out) as file:
        file.write("sample_index,time_s,unit_index,amplitude,channel_index\n")
        for block in chain(begun, blocks):
            began = time.perf_counter()
            spikes = live.push(block)
            spent.append(time.perf_counter() - began)
            n_spikes += _write(file, spikes, rate)
        n_spikes += _write(file, live.flush(), rate)
    middle, late = np.percentile(spent or [0.0], [50, 99]) * 1e3
    console().print(f"{n_spikes} spikes of {known.sizes['sequence']} sequences: {out}")
    console().print(f"{len(spent)} blocks of {block_ms:g} ms: {middle:.2f} ms each, 99 of 100 within {late:.2f} ms")


@contextmanager
def _growing_table(out: Path) -> Iterator[TextIO]:
    """A table that can be read while it grows, under a name that says so until it is whole.

    Whatever ends it early leaves it there: the spikes of an experiment do not come again.
    """
    unfinished = _unfinished(out)
    with unfinished.open("w") as file:
        try:
            yield file
        except BaseException as error:  # Ctrl-C included
            error.add_note(f"the spikes up to there are in {unfinished}")
            raise
    unfinished.replace(out)


def _unfinished(out: Path) -> Path:
    return out.with_name(f"{out.stem}.partial{out.suffix}")


def _write(file: TextIO, spikes: NDArray[Any], rate: float) -> int:
    """Append spikes to the table, whole rows at once; returns their number."""
    if len(spikes):
        names = ("sample_index", "unit_index", "amplitude", "channel_index")
        rows, text = np.column_stack([spikes[name] for name in names]), StringIO()
        rows = np.insert(rows, 1, spikes["sample_index"] / rate, axis=1)
        np.savetxt(text, rows, fmt=("%d", "%.6f", "%d", "%.3f", "%d"), delimiter=",")
        file.write(text.getvalue())
        file.flush()
    return len(spikes)


def _check_file(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists already; choose another name, or give --overwrite")
    if not out.absolute().parent.is_dir():
        raise ParameterError(f"there is no folder {out.absolute().parent}; make it first")
