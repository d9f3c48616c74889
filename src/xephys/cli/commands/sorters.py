"""``xephys run-sorter`` and ``xephys sorters``: run any known sorter on a recording, and list the known sorters."""

from __future__ import annotations

from typing import Annotated

import typer

from ..console import console
from ..options import Debug, Out, RecordingPaths, Settings
from ..reading import Reading, with_reading
from ..settings import literal, split_settings
from ..spoken import wrong_value


@with_reading
def run_sorter(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the sorter; xephys sorters lists them.")],
    recordings: RecordingPaths,
    out: Out,
    settings: Settings = [],  # noqa: B006 - Typer reads the default and never changes it
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="PROPERTY", help="Sort channels separately by this property, such as group."),
    ] = None,
    docker: Annotated[bool, typer.Option("--docker", help="Run the sorter in its Docker container.")] = False,
    singularity: Annotated[
        bool, typer.Option("--singularity", help="Run the sorter in its Singularity container.")
    ] = False,
    mode: Annotated[
        str,
        typer.Option("--mode", metavar="raise|keep|overwrite", help="What to do if DIR already holds a run."),
    ] = "raise",
    keep_work: Annotated[bool, typer.Option("--keep-work", help="Keep the sorter's own files in DIR/.work.")] = False,
    *,
    reading: Reading,
    debug: Debug = False,
) -> None:
    """Run another sorter, or a preset, on a recording. DIR gets sorting.zarr and run.json."""
    from ...errors import ParameterError
    from ...pipeline.run_sorter import run_sorter as run
    from ...pipeline.sorters import find_sorter
    from ...recording.channels import split_channels
    from ...recording.segments import segments_of
    from ..paths import open_segments

    if docker and singularity:
        raise ParameterError("--docker and --singularity are both given; give one of them")
    parameters = {key: literal(value) for key, value in split_settings(settings).items()}
    parameters |= {key: True for key, asked in (("docker_image", docker), ("singularity_image", singularity)) if asked}
    find_sorter(name).check(parameters)
    recording = open_segments(recordings, **reading)
    if by is not None:
        with wrong_value(f"--by {by}"):
            split_channels(segments_of(recording)[0], by=by)
    sorting = run(name, recording, folder=out, mode=mode, by=by, keep_work=keep_work, **parameters)
    units, spikes = sorting["units"].sizes["unit"], sorting["spikes"].sizes["spike"]
    console().print(f"{units} units, {spikes:,} spikes\n{out}")


def sorters(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A sorter whose parameters are listed.")] = "",
    debug: Debug = False,
) -> None:
    """List the sorters that run-sorter knows and which are installed, or the parameters of one."""
    from rich.markup import escape
    from rich.table import Table

    from ...pipeline.sorters import available_sorters, installed_sorters, sorter_description, sorter_parameters
    from ...sorter.parameters import HEADINGS

    table = Table(box=None, pad_edge=False)
    if name:
        for heading in HEADINGS:
            table.add_column(heading, overflow="fold", no_wrap=heading == "name")
        for row in sorter_parameters(name).rows:
            table.add_row(*map(escape, row))
    else:
        for heading in ("name", "installed", "description"):
            table.add_column(heading, overflow="fold", no_wrap=heading == "name")
        installed = set(installed_sorters())
        for known in available_sorters():
            said = sorter_description(known).split(". ")[0]
            table.add_row(known, "yes" if known in installed else "", escape(said))
    console().print(table)
