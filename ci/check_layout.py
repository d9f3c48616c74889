"""Check what keeps the layout findable: python ci/check_layout.py [ROOT]

Every module has a test file of its name in the same place below ``tests/``; a file has at most 350 lines, a folder at
most twenty files, of which at most three share a first word; no module imports itself through others, or a private name
of another; no loop over spikes, units or channels is outside the kernels; and a preset reads as its steps. Prints each
breach with the remedy and exits with 1.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from check_layers import PACKAGE, imports_of, layer_of

FILES_MAX = 20
#: A file explains one idea.
LINES_MAX = 350
SHARED_PREFIX_MAX = 3
#: Statements of a function that sorts, in lines without comments: the algorithm from top to bottom, and no more.
SORT_LINES_MAX = 45
#: Suffixes that name the hardware of a kernel: its file belongs to the file without the suffix.
TWINS = ("_device", "_torch", "_cuda")
#: Modules without a test file of their name, each with the file that tests it, or the reason why none is needed.
TESTED_ELSEWHERE: dict[str, str] = {
    "xephys.__main__": "tests/cli/test_app.py",
    "xephys.cli.options": "names of options only",
    "xephys.typing": "aliases only",
    "xephys.detect.rules": "names for what every method is given",
    "xephys.kernels.match.cuda.pairs": "tests/kernels/match/cuda/test_pursuit.py",
    "xephys.kernels.match.cuda.rounds": "tests/kernels/match/cuda/test_pursuit.py",
    "xephys.kernels.match.cuda.sweep": "tests/kernels/match/cuda/test_pursuit.py",
    "xephys.localize.window": "names for what every method is given",
    "xephys.metrics.facts": "tests/sorter/steps/test_judge.py",
    "xephys.metrics.waveforms": "tests/metrics/test_table.py",
    "xephys.motion.decentralized": "tests/motion/test_methods.py",
    "xephys.motion.dredge": "tests/motion/test_estimate.py",
    "xephys.motion.iterative_template": "tests/motion/test_methods.py",
    "xephys.motion.kilosort": "tests/motion/test_methods.py",
    "xephys.motion.register": "tests/motion/test_estimate.py: what it adds is the accuracy that is held there",
    "xephys.realtime.assigning": "tests/realtime/test_live.py",
    "xephys.realtime.learning": "tests/realtime/test_sequences.py",
    "xephys.realtime.model": "tests/realtime/test_sequences.py",
    "xephys.sorter.rt_sort.prepare": "tests/sorter/rt_sort/test_sort.py",
    "xephys.sorter.default.sort": "tests/sorter/test_identical.py and its neighbors",
    "xephys.sorter.steps.reuse": "tests/sorter/steps/test_learned.py",
}
#: Permitted loops, by file and function: over few elements, or over elements that are expensive each.
LOOPS: set[tuple[str, str]] = {
    ("xephys.sorter.kilosort4.units", "_log_rows"),  # rows of a log, a dictionary each
}
#: Groups of modules that may import one another, each for one reason.
RINGS = {
    # Tasks become an array expression where Dask uses them, and the expression makes its tasks when Dask asks.
    frozenset({"xephys.graph.expression", "xephys.graph.tasks"}),
}
#: Layers that must not contain a loop over spikes, units or channels.
LOOPLESS = {"operations", "composition"}
#: What the elements of such a loop are called, in the singular and in the plural.
ELEMENTS = {"spike", "unit", "channel"}


def modules(source: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of every module of the package."""
    for file in sorted(source.joinpath(PACKAGE).rglob("*.py")):
        parts = list(file.relative_to(source).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def private_imports(root: Path) -> Iterator[str]:
    """Names with an underscore that one module takes from another."""
    for module, file in modules(root / "src"):
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        for found in imports_of(tree, module, is_package=file.name == "__init__.py", static=True):
            home, _, name = found.module.rpartition(".")
            if found.module.startswith(PACKAGE) and name.startswith("_") and not name.startswith("__"):
                yield f"{file}:{found.line}: {name} is private to {home}; make it public, or move its use there"


def without_a_test(root: Path) -> Iterator[str]:
    """Modules whose test cannot be found by their name."""
    for module, file in modules(root / "src"):
        if file.name == "__init__.py" or module in TESTED_ELSEWHERE:
            continue
        place = file.relative_to(root / "src" / PACKAGE)
        test = root / "tests" / place.with_name(f"test_{place.name}")
        if not test.exists():
            yield f"{file}: no {test.relative_to(root)}; write one, or name in TESTED_ELSEWHERE what tests it"


def crowded(root: Path) -> Iterator[str]:
    """Folders with too many files, or with files whose common first word should be a folder."""
    for folder in sorted({file.parent for _, file in modules(root / "src")}):
        names = [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]
        if len(names) > FILES_MAX:
            yield f"{folder}: {len(names)} files, at most {FILES_MAX}; make rooms"
        plain = [name for name in names if not name.startswith("_") and not name.endswith(TWINS)]
        for prefix, count in Counter(name.split("_")[0] for name in plain if "_" in name).items():
            if count > SHARED_PREFIX_MAX:
                yield f"{folder}: {count} files begin with {prefix}_, at most {SHARED_PREFIX_MAX}; make a folder"


def long_files(root: Path) -> Iterator[str]:
    """Files of the package and of its tests that are longer than one idea takes."""
    for file in sorted(file for folder in ("src", "tests") for file in (root / folder).rglob("*.py")):
        count = len(file.read_text(encoding="utf-8").splitlines())
        if count > LINES_MAX:
            yield f"{file}: {count} lines, at most {LINES_MAX}; make a file of each idea"


def circles(root: Path) -> Iterator[str]:
    """Modules that import themselves through others, wherever in the file the import is."""
    files = {module: file for module, file in modules(root / "src") if file.name != "__init__.py"}
    imports: dict[str, set[str]] = {}
    for module, file in files.items():
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        names = {found.module for found in imports_of(tree, module, is_package=False, static=True)}
        imports[module] = {name if name in files else name.rpartition(".")[0] for name in names} & set(files)
    for ring in strongly_connected(imports):
        if (len(ring) > 1 or ring[0] in imports[ring[0]]) and frozenset(ring) not in RINGS:
            yield f"{' and '.join(sorted(ring))} import one another; move what both need to a third module"


def strongly_connected(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that can all reach one another (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            groups.append(group)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def loops(root: Path) -> Iterator[str]:
    """Loops over spikes, units or channels outside the kernels."""
    for module, file in modules(root / "src"):
        if layer_of(module) not in LOOPLESS or module.startswith(f"{PACKAGE}.simulation"):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef) or (module, function.name) in LOOPS:
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.For) and is_over_elements(node):
                    yield (
                        f"{file}:{node.lineno}: {function.name} loops over {ast.unparse(node.iter)}; move the loop to "
                        "kernels/, or name it in LOOPS"
                    )


def long_sorts(root: Path) -> Iterator[str]:
    """Functions of presets, ``sort_NAME`` in a module ``sort``, that no longer read as their steps."""
    for module, file in modules(root / "src"):
        if not (module.startswith(f"{PACKAGE}.sorter.") and module.endswith(".sort")):
            continue
        text = file.read_text(encoding="utf-8")
        for function in ast.parse(text, str(file)).body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("sort_"):
                count = lines_of_body(function, text.splitlines())
                if count > SORT_LINES_MAX:
                    yield (
                        f"{file}:{function.lineno}: {function.name} has {count} lines, at most {SORT_LINES_MAX}; make "
                        "a function of a step"
                    )


def lines_of_body(function: ast.FunctionDef, lines: list[str]) -> int:
    """Lines of a function's statements, without its docstring, comments and empty lines."""
    first, last = function.body[ast.get_docstring(function) is not None :], function.body[-1]
    between = lines[first[0].lineno - 1 : last.end_lineno] if first else []
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in between)


def is_over_elements(loop: ast.For) -> bool:
    """Whether a loop's variable or range is named after a spike, a unit or a channel."""
    targets = {name.id for name in ast.walk(loop.target) if isinstance(name, ast.Name)}
    if targets & ELEMENTS:
        return True
    if not (isinstance(loop.iter, ast.Call) and isinstance(loop.iter.func, ast.Name) and loop.iter.func.id == "range"):
        return False
    words = {word.rstrip("s") for name in ast.walk(loop.iter) for word in words_of(name)}
    return bool(words & ELEMENTS)


def words_of(node: ast.AST) -> list[str]:
    """The words of a name."""
    if isinstance(node, ast.Name):
        return node.id.split("_")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.split("_")
    return []


def check(root: Path) -> list[str]:
    """All breaches."""
    return [
        *crowded(root),
        *long_files(root),
        *circles(root),
        *loops(root),
        *long_sorts(root),
        *private_imports(root),
        *without_a_test(root),
    ]


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    complaints = check(root)
    for line in complaints:
        print(line)
    print(f"layout: {len(complaints)} breaches" if complaints else "layout: everything is where it is looked for")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
