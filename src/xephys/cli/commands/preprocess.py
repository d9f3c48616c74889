"""``xephys preprocess``: apply the steps of a file to a recording and save the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import console
from ..options import Debug, Out, Overwrite, RecordingPaths
from ..reading import Reading, with_reading


@with_reading
def preprocess(
    recordings: RecordingPaths,
    steps: Annotated[Path, typer.Argument(metavar="STEPS", help="TOML or JSON file with a list of steps.")],
    out: Out,
    file_format: Annotated[str, typer.Option("--format", help="binary or zarr.")] = "binary",
    save_dtype: Annotated[
        str | None,
        typer.Option("--save-dtype", help="Type of the saved samples, such as int16."),
    ] = None,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Apply the steps of a file to a recording and save it. DIR is the recording."""
    from ...checks import check_choice, sample_type
    from ...io.store.atomic import check_output
    from ...io.store.save import save_recording
    from ...pipeline.steps import apply_pipeline, make_pipeline
    from ..paths import open_segments

    check_choice("--format", file_format, ("binary", "zarr"))
    if save_dtype is not None:
        sample_type(save_dtype, name="--save-dtype")
    check_output(out, overwrite=overwrite, is_recording=True)
    pipeline = make_pipeline(steps)
    done = apply_pipeline(open_segments(recordings, **reading), pipeline)
    with console(stderr=True).status("writing the recording"):
        save_recording(done, out, format=file_format, dtype=save_dtype, overwrite=overwrite)
    console().print(f"{len(pipeline)} steps: {out}")
