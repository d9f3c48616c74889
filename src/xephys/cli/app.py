"""The command line: a table of commands, each defined in the module of its name."""

from __future__ import annotations

import gc
import inspect

import typer

from .command_line import CommandLine
from .commands.batch import batch
from .commands.compare import compare
from .commands.curate import curate
from .commands.export import export
from .commands.info import info
from .commands.metrics import metrics
from .commands.parameters import parameters
from .commands.preprocess import preprocess
from .commands.realtime import rt_learn, rt_run
from .commands.report import report
from .commands.simulate import simulate
from .commands.sort import sort
from .commands.sorters import run_sorter, sorters
from .commands.track import track, track_add
from .commands.track_edit import track_curate, track_export
from .console import STATUS_HELP, reported

#: In the order of the help. Modules import heavy dependencies inside their functions, so that ``--help`` is quick.
COMMANDS = (
    sort,
    parameters,
    info,
    preprocess,
    simulate,
    compare,
    metrics,
    curate,
    export,
    report,
    run_sorter,
    batch,
    sorters,
    track,
    track_add,
    track_curate,
    track_export,
    rt_learn,
    rt_run,
)

app = typer.Typer(
    name="xephys",
    cls=CommandLine,
    help="Spike sorting as a lazy dataflow on chunked, labelled arrays.",
    epilog=STATUS_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def flowing(text: str) -> str:
    """Paragraphs of a docstring without the line breaks of the source, which Typer would show."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


for command in COMMANDS:
    app.command(help=flowing(command.__doc__ or ""))(reported(command))


def main() -> None:
    """Entry point of the command ``xephys``."""
    # Modules and compiled functions are made of a million small objects that stay. To look for unreachable ones after
    # every few hundred takes a fifth of the time of importing and a seventh of that of compiling.
    gc.set_threshold(100_000, *gc.get_threshold()[1:])
    try:
        app()
    finally:
        # Nor at the end, where all that is left is searched twice: half a second, and memory is freed without it.
        gc.freeze()
