"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecordingPath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A recording: a file or a folder of any known format.")
]
RecordingPaths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Recordings (files or folders of any known format); several are segments."),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the results.")]
Settings = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Set one parameter; can be repeated.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing results, once the new ones are whole.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and all warnings.")]

ProbeFile = Annotated[
    Path | None,
    typer.Option(
        "--probe",
        metavar="FILE|together|tetrodes|apart",
        help="ProbeInterface JSON (or .prb) file; or, if no positions are known, which channels see the same neurons: "
        "all, each four, or none.",
    ),
]
Trust = Annotated[bool, typer.Option("--trust", help="Open files even if that runs code stored in them (pickles).")]
ChunkDuration = Annotated[float, typer.Option("--chunk-duration-s", help="Seconds that one task works on.")]
FreqMin = Annotated[
    float, typer.Option("--freq-min-hz", help="Corner of the high-pass; 0 takes the traces as they are.")
]
