"""``xephys batch``: sort many recordings, each into a folder of its own, and print a table at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import console
from ..options import Debug, Settings
from ..settings import literal, split_settings
from ..spoken import wrong_value

if TYPE_CHECKING:
    from ...pipeline.config.config import SortingPipelineConfig

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
    from ...errors import ParameterError
    from ...graph.scheduler import connect
    from ...pipeline.batch.sort_recording import sort_multistream, sort_recording
    from ...pipeline.batch.sources import find_groups
    from ...sorter.progress import shown_progress

    recordings = [path for path in paths if path.suffix != ".toml"]
    if streams is not None and (len(recordings) != 1 or out is not None):
        raise ParameterError("--streams is for one path, with results beside it; leave out --out and other paths")
    config = _configuration([path for path in paths if path.suffix == ".toml"], settings, reader, sorter)
    groups = find_groups(recordings, sorter=config.sorter.sorter_name)
    if dry_run:
        _print_plan(config, groups)
        return
    seen = console(stderr=True).is_terminal and scheduler == "threads"  # workers have no terminal
    with connect(scheduler), shown_progress(seen, n_passes=PASSES * len(groups)) as progress:
        if streams is not None:
            wanted = [name.strip() for name in streams.split(",")]
            by_stream = sort_multistream(recordings[0], wanted, config, progress=progress)
            results = [result for stream in by_stream.values() for result in stream]
        else:
            places = {} if out is None else _folders(out, recordings, groups)
            results = list(sort_recording(recordings, config, **places, progress=progress))
    _print_results(results)
    if all(result.failure is not None for result in results):
        raise ParameterError("no recording could be sorted; the table above says why for each")


def _configuration(
    files: list[Path], settings: list[str], reader: list[str], sorter: str | None
) -> SortingPipelineConfig:
    """The configuration of the file, changed by what the command line says.

    Raises
    ------
    ParameterError
        If there are several files, the sorter is named twice or does not exist, or a field is wrong.
    """
    from ...errors import ParameterError
    from ...pipeline.batch.backends import get_backend_class
    from ...pipeline.config.config import SortingPipelineConfig

    if len(files) > 1:
        raise ParameterError(f"{len(files)} configurations are given; give one TOML file")
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
    return config


def _print_plan(config: SortingPipelineConfig, groups: list[Any]) -> None:
    """The configuration, and which files are sorted together."""
    screen = console()
    screen.print(config.to_toml(), markup=False, highlight=False)
    for group in groups:
        screen.print(f"{group.name}: {', '.join(part.name for part in group.parts)}", markup=False)


def _folders(out: Path, recordings: list[Path], groups: list[Any]) -> dict[str, list[Path]]:
    """Folders of the results and of the work of each recording."""
    from ...pipeline.batch.sources import absolute_path

    own = [group.name for group in groups]
    if len(set(own)) < len(own):  # wells of several plates
        own = [f"{absolute_path(path).parent.name}/{name}" for path, name in zip(recordings, own, strict=True)]
    return {
        "results_folders": [out / name for name in own],
        "intermediate_folders": [out / ".work" / name for name in own],
    }


def _print_results(results: list[Any]) -> None:
    """A row for each recording: how it ended, and why if it failed."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("recording", "status", "units", "seconds", ""):
        table.add_column(heading, overflow="fold")
    for one in results:
        row = (str(one.folder), one.status, str(one.n_curated_units), f"{one.wall_time_s:.1f}", one.error_message)
        table.add_row(*map(escape, row))
    console().print(table)
