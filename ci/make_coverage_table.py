"""Write the table of hardware into the page about GPUs, from the code: python ci/make_coverage_table.py [--check]

A public function runs wherever the kernels run that it reaches in its own module and in those it imports: compiled if
the kernel's file imports Numba, or one beside it that it calls; on a device if the kernel carries
``@with_device_twin``. With ``--check`` nothing is written, and an outdated table is an error.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "xephys"
PAGE = ROOT / "docs" / "explanation" / "gpu.md"
BEGIN, END = "<!-- coverage: written by ci/make_coverage_table.py -->\n", "<!-- end of coverage -->\n"
HEAD = "| function | NumPy, SciPy | Numba | CuPy |\n|---|---|---|---|\n"
#: Rooms whose functions compute on traces or spikes.
ROOMS = ("preprocess", "detect", "localize", "features", "cluster", "templates", "match", "motion")


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def definitions(file: Path) -> dict[str, ast.AST]:
    """What a module defines at its top level, by name."""
    found: dict[str, ast.AST] = {}
    for node in tree_of(file).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
    return found


def imported(file: Path, node: ast.AST) -> dict[str, tuple[Path, str | None]]:
    """The meaning of names imported from the package: a file, and a name in it unless the name is the module."""
    names = {}
    for child in ast.walk(node):
        if not isinstance(child, ast.ImportFrom) or not (child.level or (child.module or "").startswith("xephys.")):
            continue
        base = file.parents[child.level - 1] if child.level else PACKAGE.parent
        folder = base.joinpath(*(child.module or "").split(".")) if child.module else base
        for alias in child.names:
            inside, module = folder / f"{alias.name}.py", folder.with_suffix(".py")
            place = (inside, None) if inside.exists() else (module, alias.name) if module.exists() else None
            if place:
                names[alias.asname or alias.name] = place
    return names


def kernels_of(file: Path, name: str, seen: set[tuple[Path, str]] | None = None) -> set[tuple[Path, str]]:
    """File and name of every kernel that a definition reaches."""
    seen = set() if seen is None else seen
    node = definitions(file).get(name)
    if node is None or (file, name) in seen:
        return set()
    seen.add((file, name))
    outside = {**imported(file, ast.Module([n for n in tree_of(file).body if isinstance(n, ast.ImportFrom)], [])),
               **imported(file, node)}  # fmt: skip
    reached: set[tuple[Path, str]] = set()
    for child in ast.walk(node):
        target: tuple[Path, str] | None = None
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name) and child.value.id in outside:
            place, own = outside[child.value.id]
            target = (place, child.attr) if own is None else None
        elif isinstance(child, ast.Name) and child.id in outside:
            place, own = outside[child.id]
            target = (place, own) if own is not None else None
        elif isinstance(child, ast.Name) and child.id in definitions(file):
            target = (file, child.id)
        if target is None:
            continue
        place = target[0].relative_to(PACKAGE).parts
        if place[0] == "kernels":
            if target[1].islower():
                reached.add(target)
        elif place[0] in ROOMS:
            reached |= kernels_of(*target, seen)
    return reached


def has_twin(file: Path, name: str) -> bool:
    decorators = getattr(definitions(file).get(name), "decorator_list", [])
    return any(ast.unparse(decorator) == "with_device_twin" for decorator in decorators)


def is_compiled(file: Path, name: str) -> bool:
    """Whether a kernel's file has compiled functions, or a file of its folder whose functions the kernel calls."""
    called = _names(definitions(file)[name])
    called |= {n for own in called & set(definitions(file)) for n in _names(definitions(file)[own])}
    beside = {place for own, (place, _) in imported(file, tree_of(file)).items() if own in called}
    files = {file, *(place for place in beside if place.parent == file.parent)}
    compilers = ("from numba", ".lib.inner import")
    return any(word in each.read_text(encoding="utf-8") for each in files for word in compilers)


def _names(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def coverage_table() -> str:
    """The table, in the order of the public names; functions of a module with equal rows share a line."""
    rows: dict[tuple[str, ...], list[str]] = {}
    stub = (PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    for module, name in re.findall(r"^from \.([\w.]+) import (\w+) as", stub, re.MULTILINE):
        if module.split(".")[0] not in ROOMS:
            continue
        kernels = kernels_of(PACKAGE / (module.replace(".", "/") + ".py"), name)
        if not kernels:
            continue
        compiled = any(is_compiled(*kernel) for kernel in kernels)
        on_device = any(has_twin(*kernel) for kernel in kernels)
        row = ("" if compiled else "●", "●" if compiled else "", "●" if on_device else "")
        rows.setdefault((module, *row), []).append(f"`{name}`")
    return HEAD + "".join(f"| {' '.join(names)} | {' | '.join(row[1:])} |\n" for row, names in rows.items())


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    current = text[:start] + coverage_table() + text[stop:]
    if "--check" in sys.argv:
        if current != text:
            page = PAGE.relative_to(ROOT)
            print(f"{page}: the table of what runs on what is not current; run python ci/make_coverage_table.py")
        return int(current != text)
    PAGE.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
