"""Write docs/parameters.md, the tables of all presets' parameters: python ci/make_parameter_table.py"""

from __future__ import annotations

import sys
from pathlib import Path

import xephys
from xephys.sorter.presets import PRESETS

PAGE = Path(__file__).parents[1] / "docs" / "parameters.md"
HEAD = """# Parameters of the presets

Written by `ci/make_parameter_table.py`. `xephys.parameters("default")` shows the same table in Python, and
`xephys parameters default` on the command line. Parameters are set by name:
`xephys.sort(recording, detect_threshold=5.5)` or `xephys sort PATH --out DIR --set detect_threshold=5.5`. An unknown
parameter, or a value outside its limits, is refused.
"""


def parameter_page() -> str:
    """The page: one table per preset, made from its model."""
    tables = [f"## `{name}`\n\n{xephys.parameters(name).to_markdown()}" for name in PRESETS]
    return "\n".join([HEAD, *tables])


if __name__ == "__main__":
    PAGE.write_text(parameter_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
