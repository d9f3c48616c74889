"""Write the tables of other systems' parameter names into their pages: python ci/make_name_tables.py"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from xephys.foreign import KILOSORT, SPIKEINTERFACE, ForeignName

PAGES = Path(__file__).parents[1] / "docs" / "how_to"
FIRST, LAST = "<!-- names: ci/make_name_tables.py -->\n", "<!-- end of names -->\n"
TABLES = {"from_spikeinterface.md": SPIKEINTERFACE, "from_kilosort.md": KILOSORT}


def page_with_table(name: str) -> str:
    """A page with the part between its two marks replaced."""
    before, rest = (PAGES / name).read_text(encoding="utf-8").split(FIRST)
    return before + FIRST + table_of(TABLES[name]) + LAST + rest.split(LAST)[1]


def table_of(names: Iterable[ForeignName]) -> str:
    """Names that differ, one per line: theirs, ours, and a remark."""
    lines = ["| there | here | |", "|---|---|---|"]
    for row in names:
        if row.ours == (row.name,):
            continue
        ours = ", ".join(f"`{name}`" for name in row.ours) or "–"
        lines.append(f"| `{row.name}` | {ours} | {row.note} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for page in TABLES:
        (PAGES / page).write_text(page_with_table(page), encoding="utf-8")
        sys.stdout.write(f"{PAGES / page}\n")
