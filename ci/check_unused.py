"""Check that the package uses what it defines: python ci/check_unused.py [ROOT]

A function, class or constant at the top of a module is dead if nothing else in the package uses it, ``__init__.pyi``
does not list it and no page of the documentation imports it. Delete it, or move it into the tests that use it as a
reference. Uses are found in the source alone: imported names, attributes of imported modules, names in the module
itself outside the definition, strings ``"module:name"``, and strings that are programs. Prints each dead name with the
remedy and exits with 1; a name in ALLOWED that is used, or no longer exists, is a breach too.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from check_layers import PACKAGE
from check_layout import TWINS, modules

#: Names that nothing in the package uses, each with the reason to keep it.
ALLOWED: dict[str, str] = {
    "xephys.kernels.lib.dispatch.register_device": "other packages, and tests, add devices by it",
    "xephys.kernels.lib.dispatch.forget_device": "its counterpart",
    "xephys.kernels.lib.lanes.LanesModel": "Numba finds it by its decorator",
    "xephys.kernels.metrics.spike_trains.sliding_contamination": "the kernel of a metric",
    "xephys.kernels.templates.average.align_templates": "the kernel that aligns averages on their peak",
    "xephys.kernels.templates.similarity.template_similarity": "the kernel of similarity between sortings",
    "xephys.recording.segments.each_segment": "the package's face wraps functions by it, as its stub says",
    "xephys.schema.SORTING_NODES": "the model as it is documented",
}
#: Names that Python or a tool looks up by itself.
LOOKED_UP = {"__all__", "__dir__", "__getattr__", "__version__"}
#: A line of a string that imports: a module and the names taken from it.
IMPORT = re.compile(rf"^\s*(?:>>> )?from ({PACKAGE}[\w.]*) import ([\w, ]+)", re.MULTILINE)


def defined(tree: ast.Module) -> Iterator[tuple[str, int, ast.stmt]]:
    """Names that a module defines at its top, with line and statement; imports are not definitions."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                names = (name for name in ast.walk(target) if isinstance(name, ast.Name))
                yield from ((name.id, node.lineno, node) for name in names)


def uses(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[str]:
    """Absolute names that a module takes from others: imported names, and attributes of imported modules."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            imported |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
            yield from (f"{base}.{alias.name}" for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
            yield f"{imported[node.value.id]}.{node.attr}"


def texts(tree: ast.Module) -> Iterator[str]:
    """Ends of absolute names in strings: ``"module:name"``, and programs that import a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"[\w.]+:\w+", node.value):
                yield "." + node.value.replace(":", ".")
            yield from imports_in(node.value)


def imports_in(text: str) -> Iterator[str]:
    """Absolute names that the lines of a string import."""
    for module, names in IMPORT.findall(text):
        yield from (f"{module}.{name.strip()}" for name in names.split(","))


def is_read(tree: ast.Module, name: str, definition: ast.stmt) -> bool:
    """Whether a module reads a name outside the statement that defines it."""
    others = (statement for statement in tree.body if statement is not definition)
    loads = (n for other in others for n in ast.walk(other) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return any(load.id == name for load in loads)


def documented(root: Path) -> Iterator[str]:
    """Absolute names that the documentation imports."""
    for page in [*root.glob("*.md"), *root.joinpath("docs").rglob("*.md")]:
        yield from imports_in(page.read_text(encoding="utf-8"))


def is_twin(trees: dict[str, ast.Module], module: str, name: str) -> bool:
    """Whether a function is the device version of a kernel: the same name in the file without the suffix."""
    kernel = next((trees.get(module.removesuffix(suffix)) for suffix in TWINS if module.endswith(suffix)), None)
    return kernel is not None and any(name == other for other, _, _ in defined(kernel))


def dead(root: Path) -> Iterator[tuple[str, str]]:
    """Absolute name and place of each definition that nothing uses."""
    files = list(modules(root / "src"))
    trees = {module: ast.parse(file.read_text(encoding="utf-8"), str(file)) for module, file in files}
    used, public = set(documented(root)), set[str]()
    ends = tuple(end for tree in trees.values() for end in texts(tree))
    for module, file in files:
        used |= set(uses(trees[module], module, is_package=file.name == "__init__.py"))
    for stub in root.joinpath("src", PACKAGE).rglob("__init__.pyi"):
        package = ".".join(stub.parent.relative_to(root / "src").parts)
        public |= set(uses(ast.parse(stub.read_text(encoding="utf-8")), package, is_package=True))
    for module, file in files:
        for name, line, statement in defined(trees[module]):
            whole = f"{module}.{name}"
            in_public_module = module in public and not name.startswith("_")
            if name in LOOKED_UP or in_public_module or whole in used | public or whole.endswith(ends):
                continue
            if not is_read(trees[module], name, statement) and not is_twin(trees, module, name):
                yield whole, f"{file}:{line}"


def check(root: Path, *, allowed: dict[str, str]) -> list[str]:
    """All breaches."""
    found = dict(dead(root))
    breaches = [
        f"{place}: nothing uses {name}; delete it, move it into its tests, or give a reason in ALLOWED"
        for name, place in found.items()
        if name not in allowed
    ]
    return breaches + [f"{name} is used, or gone; take it out of ALLOWED" for name in allowed if name not in found]


def main() -> int:
    here = Path(__file__).parents[1]
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else here
    breaches = check(root, allowed=ALLOWED if root.resolve() == here.resolve() else {})
    for line in breaches:
        print(line)
    print(f"unused: {len(breaches)} breaches" if breaches else "unused: whatever is defined is used")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
