"""Write the table of parameters into docs/explanation/kilosort4.md: python ci/make_parameter_table.py"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from xephys.sorter.kilosort4.parameters import Kilosort4Parameters

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "kilosort4.md"
FIRST, LAST = "<!-- parameters: ci/make_parameter_table.py -->\n", "<!-- end of parameters -->\n"
LIMITS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}"}


def page_with_table() -> str:
    """The page, the part between its two marks made anew."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(FIRST)
    return before + FIRST + parameter_table() + LAST + rest.split(LAST)[1]


def parameter_table() -> str:
    """Name, default, limits and meaning of every parameter, from the model."""
    lines = ["| name | default | limits | what it is |", "|---|---|---|---|"]
    for name, field in Kilosort4Parameters.model_fields.items():
        default = (
            "" if field.default is None else f"{field.default:g}" if isinstance(field.default, float) else field.default
        )
        lines.append(f"| `{name}` | {default} | {limits_of(field)} | {field.description} |")
    return "\n".join(lines) + "\n"


def limits_of(field: Any) -> str:
    """Limits as one reads them: ``> 0, ≤ 1``."""
    found = []
    for rule in field.metadata:
        for attribute, words in LIMITS.items():
            value = getattr(rule, attribute, None)
            if value is not None:
                found.append(words.format(value))
    return ", ".join(found)


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
