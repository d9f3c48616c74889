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
    typer.Argument(metavar="PATH...", help="Recordings (files or folders of any known format); several are segments."),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the results.")]
Settings = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Set one parameter; can be repeated.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing results, once the new ones are whole.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and all warnings.")]

ProbeFile = Annotated[Path | None, typer.Option("--probe", metavar="FILE", help="ProbeInterface JSON (or .prb) file.")]
StreamId = Annotated[str | None, typer.Option("--stream-id", help="Which stream, where a file holds several.")]
Segment = Annotated[
    int | None, typer.Option("--segment", help="Which segment, where a recording has several (from 0).")
]
Channels = Annotated[int | None, typer.Option("--n-channels", help="Channels of a raw binary file.")]
Rate = Annotated[float | None, typer.Option("--sampling-frequency", help="Rate of a raw binary file, in hertz.")]
SampleType = Annotated[str | None, typer.Option("--dtype", help="Type of a sample of a raw binary file (int16).")]
ReaderOptions = Annotated[
    list[str],
    typer.Option(
        "--reader",
        metavar="KEY=VALUE",
        help="Any other argument of open_recording, or of the format's reader; can be repeated.",
    ),
]
Gain = Annotated[float | None, typer.Option("--gain-to-uv", help="Microvolts per count.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Open files even if that runs code of whoever wrote them (pickles).")
]
ChunkDuration = Annotated[float, typer.Option("--chunk-duration-s", help="Seconds that one task works on.")]
FreqMin = Annotated[
    float, typer.Option("--freq-min-hz", help="Corner of the high-pass; 0 takes the traces as they are.")
]
