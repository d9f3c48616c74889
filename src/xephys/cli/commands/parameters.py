"""``xephys parameters``: list the parameters of a preset."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from ...sorter.presets import DEFAULT_PRESET
from ..console import console
from ..options import Debug


def parameters(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="Which sorter.")] = DEFAULT_PRESET,
    debug: Debug = False,
) -> None:
    """List the parameters of a preset: defaults, limits, units, and what they do; set them with sort --set."""
    from rich.table import Table

    from ...sorter.parameters import HEADINGS
    from ...sorter.parameters import parameters as table_of

    rows = table_of(preset).rows
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for row in rows:
        table.add_row(*map(escape, row))
    console().print(table)
