"""Write docs/api.md, the public functions and the first lines of their docstrings: python ci/make_api_page.py"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import xephys

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
HEAD = """# Public functions

Written by `ci/make_api_page.py` from the docstrings. `help(xephys.bandpass_filter)` has the rest: parameters, units,
errors, an example. Functions marked ● take a recording first and are methods of its accessor as well:
`recording.ephys.bandpass_filter(freq_min_hz=300)`.
"""


def api_page() -> str:
    """The page, in groups by module, in the order in which ``xephys`` lists them."""
    from xephys.accessor import RecordingAccessor

    lines, group = [HEAD], ""
    for name in xephys.__all__:
        public = getattr(xephys, name)
        if not callable(public):
            continue
        module = getattr(inspect.unwrap(public), "__module__", "") if callable(public) else ""
        if module != group:
            group = module
            lines += ["", f"## `{group}`", "", summary_of(import_module(group)), "", "| | |", "|---|---|"]
        mark = " ●" if hasattr(RecordingAccessor, name) else ""
        lines.append(f"| `{name}{signature_of(public)}`{mark} | {summary_of(public)} |")
    for name in ("comparison", "curate", "pipeline", "plot", "testing"):
        module = import_module(f"xephys.{name}")
        lines += ["", f"## `xephys.{name}`", "", summary_of(module), "", "| | |", "|---|---|"]
        for function in module.__all__:
            public = getattr(module, function)
            lines.append(f"| `{function}{signature_of(public)}` | {summary_of(public)} |")
    return "\n".join(lines) + "\n"


def summary_of(public: Any) -> str:
    """The first paragraph of a docstring, on one line, its references as code."""
    paragraph = (inspect.getdoc(public) or "").split("\n\n")[0]
    for role in (":func:", ":class:", ":mod:"):
        paragraph = paragraph.replace(role, "")
    return " ".join(paragraph.replace("``", "`").split()).replace("|", "\\|")


def signature_of(public: Any) -> str:
    """Names of the parameters; defaults are left out, they are in the docstring."""
    if inspect.isclass(public) or not callable(public):
        return ""
    kinds = inspect.Parameter
    parts, keyword = [], False
    for name, parameter in inspect.signature(public).parameters.items():
        if parameter.kind is kinds.KEYWORD_ONLY and not keyword:
            parts.append("*")
            keyword = True
        star = {kinds.VAR_KEYWORD: "**", kinds.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        parts.append(star + name)
    return "(" + ", ".join(parts) + ")"


if __name__ == "__main__":
    PAGE.write_text(api_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
