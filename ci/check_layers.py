"""Check which part of the package imports what, from the source alone: python ci/check_layers.py [SRC]

Kernels know arrays only; only graph/ knows Dask; operations know neither files nor figures nor the command line; heavy
modules are imported inside the functions that need them. Prints each wrong import with its reason and exits with 1.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "xephys"
#: Folders and files of the package by layer, lowest first. A first name that is not listed is refused.
LAYERS = {
    "base": {
        "attributes", "calls", "checks", "errors", "foreign", "lazy", "limits", "typing", "unit_mark", "written",
        "wrong_calls",
    },
    "model": {"axis_labels", "per_channel", "regular_clock", "schema"},
    "kernels": {"kernels"},
    "graph": {"graph"},
    "operations": {
        "analysis", "cluster", "curate", "detect", "features", "localize", "match", "metrics", "motion", "preprocess",
        "recording", "simulation", "sorting", "templates", "track",
    },
    "composition": {"sorter", "realtime"},
    "files": {"io"},
    "application": {
        "__init__", "__main__", "accessor", "cli", "comparison", "dartsort", "pipeline", "plot", "provenance",
        "testing", "viewer",
    },
}  # fmt: skip
#: Which layers a layer may not import, not even inside a function.
FORBIDDEN_LAYERS = {
    "base": {"model", "kernels", "graph", "operations", "composition", "files", "application"},
    "model": {"kernels", "graph", "operations", "composition", "files", "application"},
    "kernels": {"model", "graph", "operations", "composition", "files", "application"},
    "graph": {"kernels", "operations", "composition", "files", "application"},
    "operations": {"composition", "files", "application"},
    "composition": {"files", "application"},
    "files": {"composition", "application"},
    "application": set(),
}
#: Rooms of ``kernels/`` that every room may import, lowest first: none of them imports a later one.
SHARED_ROOMS = ("lib", "metrics")
#: Further imports between rooms of ``kernels/``, from room to room, each for one reason.
ROOM_IMPORTS = {
    ("features", "detect"),  # features are added to the records that detection makes
    ("localize", "detect"),  # places are added to the same records
    ("localize", "features"),  # a peak's place is computed from the waveform around it
    ("subtract", "detect"),  # what is subtracted are peaks
    ("subtract", "localize"),  # an event is located from its denoised waveform
    ("analysis", "localize"),  # a unit is placed by its template as a spike is by its waveform
    ("match", "detect"),  # peaks in the residual of matching are spikes that no template explains
    ("match", "features"),  # waveforms are projected after their neighbors' spikes are subtracted
    ("realtime", "cluster"),  # the spikes of a channel are split into sequences as clusters are
    ("templates", "match"),  # templates are compared in the metric of the matcher
    ("templates", "curate"),  # duplicate templates are found by the same rule as units to be merged
}
ONLY_IN_GRAPH = {"dask", "distributed"}
NOT_IN_KERNELS = {"xarray", "spikeinterface"}
#: Slow to import: ``import xephys`` has to stay under half a second.
HEAVY = {"numba", "spikeinterface", "torch", "cupy", "matplotlib", "sklearn"}
#: Modules that are heavy as a whole, and are therefore themselves imported only inside functions.
LAZY = (
    "xephys.io.read.plexon",
    "xephys.io.bridge.si_recording",
    "xephys.io.bridge.si_sorting",
    "xephys.simulation",
    "xephys.kernels",
)
#: Parts of these that import NumPy and Xarray at most, so that every module may import them.
LIGHT = ("xephys.kernels.lib.constants", "xephys.kernels.lib.records", "xephys.simulation.sessions")
#: Module and what it may import against the rules, each for one reason.
EXCEPTIONS = {
    # The guard that forbids computes in tests has to replace Dask's scheduler.
    ("xephys.testing", "dask"),
    # A recording that is made or checked gets its accessor, whichever module was imported first.
    ("xephys.schema", "xephys.accessor"),
    # Records have one declaration, in the lowest layer that makes them; that file imports NumPy alone.
    ("xephys.schema", "xephys.kernels.lib.records"),
    # The version is part of what names a result on disk.
    ("xephys.graph.checkpoint", "xephys.__version__"),
}


@dataclass(frozen=True)
class Import:
    """One imported module, where, and whether it is imported together with the file."""

    module: str
    line: int
    at_top: bool


def imports_of(tree: ast.Module, module: str, *, is_package: bool, static: bool = False) -> Iterator[Import]:
    """Every import of a file by absolute name; with ``static``, also those that only type checkers see."""
    package = module.split(".") if is_package else module.split(".")[:-1]

    def walk(node: ast.AST, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if not static and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, at_top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                above = package[: len(package) - child.level + 1] if child.level else []
                base = ".".join([*above, *([child.module] if child.module else [])])
                yield from (Import(f"{base}.{alias.name}", child.lineno, at_top) for alias in child.names)
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, at_top and not inside)

    yield from walk(tree, True)


def layer_of(module: str) -> str | None:
    """The layer of a module, by the first folder or file of its path; None if it is not listed."""
    parts = module.split(".")
    first = parts[1] if len(parts) > 1 else "__init__"
    return next((layer for layer, names in LAYERS.items() if first in names), None)


def room_of(module: str) -> str | None:
    """The room of ``kernels/`` that holds a module."""
    parts = module.split(".")
    return parts[2] if len(parts) > 3 and parts[1] == "kernels" else None


def between_rooms(module: str, imported: str) -> str | None:
    """Why one room of ``kernels/`` may not import another; None if it may."""
    here, there = room_of(module), room_of(imported)
    if here is None or there is None or here == there or (here, there) in ROOM_IMPORTS:
        return None
    if there in SHARED_ROOMS and (here not in SHARED_ROOMS or SHARED_ROOMS.index(there) < SHARED_ROOMS.index(here)):
        return None
    return f"kernels/{here}/ may not import kernels/{there}/; move what both need to kernels/lib/"


def is_in(module: str, names: Iterable[str]) -> bool:
    return any((module + ".").startswith(name + ".") for name in names)


def complaint(module: str, found: Import) -> str | None:
    """Why an import is wrong; None if it is not."""
    if any(module == who and is_in(found.module, [what]) for who, what in EXCEPTIONS):
        return None
    layer, root = layer_of(module), found.module.split(".")[0]
    if root in ONLY_IN_GRAPH and layer != "graph":
        return f"only graph/ may import {root}"
    if layer == "kernels" and root in NOT_IN_KERNELS:
        return f"kernels take arrays and may not import {root}"
    lazy = is_in(module, LAZY)
    if found.at_top and root in HEAVY and (not lazy or (layer == "kernels" and root != "numba")):
        return f"{root} is slow to import; import it inside the function that needs it"
    if root != PACKAGE:
        return None
    target = layer_of(found.module)
    if layer is not None and target in FORBIDDEN_LAYERS[layer]:
        return f"{layer} may not import {target}"
    if (reason := between_rooms(module, found.module)) is not None:
        return reason
    if found.at_top and not lazy and is_in(found.module, LAZY) and not is_in(found.module, LIGHT):
        return "it brings slow imports with it; import it inside the function that needs it"
    return None


def check(source: Path) -> list[str]:
    """All complaints about the package below a source folder."""
    complaints = []
    for file in sorted(source.joinpath(PACKAGE).rglob("*.py")):
        parts = list(file.relative_to(source).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        if layer_of(module) is None:
            complaints.append(
                f"{file}: {parts[1]} belongs to no layer; name it in LAYERS, or move the file into a folder there"
            )
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        for found in imports_of(tree, module, is_package=is_package):
            reason = complaint(module, found)
            if reason is not None:
                complaints.append(f"{file}:{found.line}: {module} imports {found.module}: {reason}")
    return complaints


def main() -> int:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "src"
    complaints = check(source)
    for line in complaints:
        print(line)
    print(f"layers: {len(complaints)} wrong imports" if complaints else "layers: every import is where it may be")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
