"""``xephys sorters``: list the known sorters, or the parameters of one."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import console
from .options import Debug


def sorters(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One of them: its parameters.")] = "",
    debug: Debug = False,
) -> None:
    """List the sorters that run-sorter knows and which are installed, or the parameters of one."""
    from rich.markup import escape
    from rich.table import Table

    from ..pipeline.sorters import available_sorters, installed_sorters, sorter_description, sorter_parameters
    from ..sorter.parameters import HEADINGS

    table = Table(box=None, pad_edge=False)
    if name:
        for heading in HEADINGS:
            table.add_column(heading, overflow="fold", no_wrap=heading == "name")
        for row in sorter_parameters(name).rows:
            table.add_row(*map(escape, row))
    else:
        for heading in ("name", "installed", "what it is"):
            table.add_column(heading, overflow="fold", no_wrap=heading == "name")
        installed = set(installed_sorters())
        for known in available_sorters():
            said = sorter_description(known).split(". ")[0]
            table.add_row(known, "yes" if known in installed else "", escape(said))
    console().print(table)
