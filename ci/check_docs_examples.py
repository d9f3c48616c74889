"""Run every Python example of the documentation: python ci/check_docs_examples.py [FILE ...]

The ```python blocks of README.md and docs/**/*.md run in page order, in one namespace and one empty folder per file. A
block that cannot run is preceded by a line ``<!-- no-run: reason -->``. Exits with 1 if any block fails.

Each page has a process of its own. They are forked, so that packages are imported once.
"""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent>[ ]*)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
NO_RUN = re.compile(r"<!--\s*no-run:\s*(?P<reason>[^>]*?)\s*-->\s*\Z")
TIMEOUT_S = 600


@dataclass(frozen=True)
class Block:
    """One example: its first line in the file, its code, and, if it is not run, the reason."""

    line: int
    code: str
    no_run: str | None


def blocks_of(text: str) -> list[Block]:
    """All Python examples of a page.

    Raises
    ------
    ValueError
        If a block is marked ``no-run`` without a reason.
    """
    blocks = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        marked = NO_RUN.search(text[: match.start()])
        if marked and not marked["reason"]:
            raise ValueError(f"the example at line {line} is marked no-run without a reason; give one")
        indent = len(match["indent"])
        code = "".join(row[indent:] if row.strip() else "\n" for row in match["code"].splitlines(keepends=True))
        blocks.append(Block(line, code, marked["reason"] if marked else None))
    return blocks


def program_of(blocks: list[Block]) -> str:
    """One script with the line numbers of the page, so that a traceback points to the example."""
    script, line = [], 1
    for block in blocks:
        if block.no_run is None:
            script.append("\n" * (block.line - line) + block.code)
            line = block.line + block.code.count("\n")
    return "".join(script)


def run_page(page: Path) -> str | None:
    """Run a page's examples in a process of their own; returns the last lines of the output if they fail."""
    script = program_of(blocks_of(page.read_text(encoding="utf-8")))
    if not script.strip():
        return None
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        process = get_context("fork").Process(target=_execute, args=(script, page, folder, output.fileno()))
        sys.stdout.flush()
        process.start()
        process.join(TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join()
            return f"not finished after {TIMEOUT_S} s"
        output.seek(0)
        lines = output.read().decode(errors="replace").splitlines()
    return None if process.exitcode == 0 else "\n".join(lines[-15:])


def _execute(script: str, page: Path, folder: str, output: int) -> None:
    """Run a script in this process as an interpreter would: in its folder, up to the functions called at the end."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(folder)
    sys.argv = [str(page)]
    try:
        exec(compile(script, str(page), "exec"), {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()


def _prepare(*, for_several: bool) -> None:
    """Set the environment of pages; for several of them import here what they use, so that none of them has to.

    Nothing is computed here: that would start threads, which a forked process lacks and would wait for.
    """
    sys.path.insert(0, str(ROOT / "src"))
    for name in ("MPLBACKEND", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "Agg" if name == "MPLBACKEND" else "1")
    known = filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join(known)  # of worker processes
    if not for_several:
        return
    for name in ("dask.array", "matplotlib.pyplot", "pandas", "scipy.signal", "sklearn.decomposition", "xarray"):
        import_module(name)
    import_module("spikeinterface.full")
    package = import_module("xephys")
    for name in dir(package):
        getattr(package, name)  # imported on first use
    gc.collect()
    gc.freeze()  # pages do not look through what they inherit


def main(arguments: list[str]) -> int:
    pages = [Path(name) for name in arguments] or [ROOT / "README.md", *sorted(ROOT.joinpath("docs").rglob("*.md"))]
    failed = 0
    _prepare(for_several=len(pages) > 1)
    for page in pages:
        if not page.is_file():
            print(f"{page}: no such page")
            failed += 1
            continue
        try:
            blocks = blocks_of(page.read_text(encoding="utf-8"))
            trouble = run_page(page)
        except ValueError as error:
            blocks, trouble = [], str(error)
        failed += trouble is not None
        n_run = sum(block.no_run is None for block in blocks)
        print(
            f"{page}: {n_run} of {len(blocks)} examples run" + (f", and failed\n{trouble}" if trouble else ""),
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
