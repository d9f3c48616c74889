"""``xephys batch``: sort many recordings, each into a folder of its own, and print a table at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..console import console
from ..options import Debug, Settings
from ..settings import literal, split_settings
from ..spoken import wrong_value

#: Passes over a recording that the bar of progress expects; more of them never move it back.
PASSES = 4


def batch(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[CONFIG.toml] PATH...",
            help="Recordings, or folders whose recordings are sorted jointly; a TOML file is the configuration.",
        ),
    ],
    sorter: Annotated[str | None, typer.Option("--sorter", help="Name of the back-end.")] = None,
    streams: Annotated[
        str | None,
        typer.Option("--streams", metavar="A,B,...", help="Streams (wells) of the one path, sorted one by one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Results go into DIR/NAME instead of beside the input.")
    ] = None,
    settings: Settings = [],  # noqa: B006 - Typer reads it and never changes it
    reader: Annotated[
        list[str],
        typer.Option("--reader", metavar="KEY=VALUE", help="Any other argument of open_recording; can be repeated."),
    ] = [],  # noqa: B006 - as above
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="threads|ADDRESS", help="Threads, or the address of a Dask scheduler.")
    ] = "threads",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print configuration and plan; sort nothing.")] = False,
    debug: Debug = False,
) -> None:
    """Sort, curate and compile many recordings. One that fails is reported, and the others are sorted; call it again
    to resume or to repeat what a changed configuration concerns.
    """
    from rich.markup import escape
    from rich.table import Table

    from ...errors import ParameterError
    from ...graph.scheduler import connect
    from ...pipeline.batch.backends import get_backend_class
    from ...pipeline.batch.sort_recording import sort_multistream, sort_recording
    from ...pipeline.batch.sources import absolute_path, find_groups
    from ...pipeline.config.config import SortingPipelineConfig
    from ...sorter.progress import shown_progress

    files = [path for path in paths if path.suffix == ".toml"]
    recordings = [path for path in paths if path.suffix != ".toml"]
    if len(files) > 1:
        raise ParameterError(f"{len(files)} configurations are given; give one TOML file")
    if streams is not None and (len(recordings) != 1 or out is not None):
        raise ParameterError("--streams is for one path, with results beside it; leave out --out and other paths")
    config = SortingPipelineConfig.from_toml(files[0]) if files else SortingPipelineConfig()
    given = {key: literal(value) for key, value in split_settings(settings).items()}
    reading = {key: literal(value) for key, value in split_settings(reader, option="--reader").items()}
    if reading:
        given["reader_options"] = {**(config.recording.reader_options or {}), **reading}
    if sorter is not None and "sorter_name" in given:
        raise ParameterError(f"--sorter {sorter} and --set sorter_name={given['sorter_name']}: give one of them")
    config = config.override(**given)
    if sorter is not None:
        with wrong_value(f"--sorter {sorter}"):
            get_backend_class(sorter)
        config = config.override(sorter_name=sorter)
    groups = find_groups(recordings, sorter=config.sorter.sorter_name)
    screen = console()
    if dry_run:
        screen.print(config.to_toml(), markup=False, highlight=False)
        for group in groups:
            screen.print(f"{group.name}: {', '.join(part.name for part in group.parts)}", markup=False)
        return
    places: dict[str, Any] = {}
    if out is not None:
        own = [group.name for group in groups]
        if len(set(own)) < len(own):  # wells of several plates
            own = [f"{absolute_path(path).parent.name}/{name}" for path, name in zip(recordings, own, strict=True)]
        places = {
            "results_folders": [out / name for name in own],
            "intermediate_folders": [out / ".work" / name for name in own],
        }
    seen = console(stderr=True).is_terminal and scheduler == "threads"  # workers have no terminal
    with connect(scheduler), shown_progress(seen, n_passes=PASSES * len(groups)) as progress:
        if streams is not None:
            wanted = [name.strip() for name in streams.split(",")]
            by_stream = sort_multistream(recordings[0], wanted, config, progress=progress)
            results = [result for stream in by_stream.values() for result in stream]
        else:
            results = list(sort_recording(recordings, config, **places, progress=progress))
    table = Table(box=None, pad_edge=False)
    for heading in ("recording", "status", "units", "seconds", ""):
        table.add_column(heading, overflow="fold")
    for one in results:
        row = (str(one.folder), one.status, str(one.n_curated_units), f"{one.wall_time_s:.1f}", one.error_message)
        table.add_row(*map(escape, row))
    screen.print(table)
    if all(result.failure is not None for result in results):
        raise ParameterError("no recording could be sorted; the table above says why for each")
