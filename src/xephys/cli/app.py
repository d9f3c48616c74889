"""The command line: a table of commands, each defined in the module of its name."""

from __future__ import annotations

import typer

from .compare import compare
from .console import STATUS_HELP, reported
from .curate import curate
from .export import export
from .info import info
from .metrics import metrics
from .parameters import parameters
from .preprocess import preprocess
from .report import report
from .simulate import simulate
from .sort import sort
from .sorters import run_sorter, sorters
from .track import track, track_add

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
    sorters,
    track,
    track_add,
)

app = typer.Typer(
    name="xephys",
    help="Spike sorting as a lazy dataflow on chunked, labelled arrays.",
    epilog=STATUS_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.command()(reported(command))


def main() -> None:
    """Entry point of the command ``xephys``."""
    app()
