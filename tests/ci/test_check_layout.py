"""The layout check finds each kind of breach in a small tree; `make check-layout` runs it on the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "ci" / "check_layout.py"


def run(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(root)], capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path):
    """Write modules of a package, each with its test, and return the folder that holds both."""

    def made(modules: dict[str, str]) -> Path:
        for name, text in modules.items():
            place = Path(name)
            for file, content in (
                (Path("src", "xephys", place), text),
                (Path("tests", place.with_name(f"test_{place.name}")), ""),
            ):
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / file).write_text(content, encoding="utf-8")
        return tmp_path

    return made


def breaches(root: Path) -> list[str]:
    done = run(root)
    lines = done.stdout.splitlines()
    assert done.returncode == (1 if len(lines) > 1 else 0), done.stderr
    return lines[:-1]


def test_a_tidy_tree_passes(tree):
    assert (
        breaches(tree({"detect/peaks.py": "", "kernels/detect/peaks.py": "", "kernels/detect/peaks_device.py": ""}))
        == []
    )


@pytest.mark.parametrize("where", ["src", "tests"])
def test_a_file_that_is_too_long_is_found(tree, where):
    root = tree({"detect/peaks.py": "a = 1\n" * 350})
    assert breaches(root) == []
    file = root / where / ("xephys/detect/peaks.py" if where == "src" else "detect/test_peaks.py")
    file.write_text("a = 1\n" * 351, encoding="utf-8")
    assert breaches(root) == [f"{file}: 351 lines, at most 350; make a file of each idea"]


def test_a_private_name_of_another_module_is_found(tree):
    root = tree({"detect/peaks.py": "_find = 3\n", "detect/universal.py": "from .peaks import __name__, _find\n"})
    (found,) = breaches(root)
    assert "universal.py:1: _find is private to xephys.detect.peaks; make it public" in found


def test_a_module_without_a_test_is_found(tree):
    root = tree({"detect/peaks.py": "", "detect/universal.py": ""})
    (root / "tests" / "detect" / "test_universal.py").rename(root / "tests" / "test_universal.py")
    (found,) = breaches(root)
    assert found.startswith(f"{root / 'src/xephys/detect/universal.py'}: no tests/detect/test_universal.py; write one")


def test_a_module_tested_elsewhere_needs_no_test_of_its_name(tree):
    root = tree({"typing.py": ""})
    (root / "tests" / "test_typing.py").unlink()
    assert breaches(root) == []


@pytest.mark.parametrize(("count", "expected"), [(20, 0), (21, 1)])
def test_crowded_folders_are_found(tree, count, expected):
    found = breaches(tree({f"detect/{chr(97 + k)}.py": "" for k in range(count)} | {"detect/__init__.py": ""}))
    assert len(found) == expected
    assert all("detect: 21 files, at most 20" in line for line in found)


def test_four_files_with_one_prefix_are_found(tree):
    three = {f"detect/matched_{name}.py": "" for name in "abc"}
    twins = {f"detect/matched_a{suffix}.py": "" for suffix in ("_device", "_torch", "_cuda")}
    assert breaches(tree(three | twins)) == []
    (found,) = breaches(tree({"detect/matched_d.py": ""}))
    assert "4 files begin with matched_" in found


@pytest.mark.parametrize("importing", ["from .b import f", "def g():\n    from .b import f", "from . import b"])
def test_circles_are_found(tree, importing):
    root = tree(
        {"detect/a.py": importing, "detect/b.py": "from .c import h", "detect/c.py": "from xephys.detect.a import g"}
    )
    (found,) = breaches(root)
    assert found.startswith("xephys.detect.a and xephys.detect.b and xephys.detect.c import one another")


def test_a_known_ring_is_allowed_but_a_larger_one_is_not(tree):
    known = {"graph/tasks.py": "def f():\n    from .expression import x", "graph/expression.py": "from .tasks import y"}
    assert breaches(tree(known)) == []
    (found,) = breaches(
        tree({"graph/build.py": "from .expression import x", "graph/expression.py": "from .build import y"})
    )
    assert "xephys.graph.build and xephys.graph.expression import one another" in found


@pytest.mark.parametrize(
    ("file", "loop"),
    [
        ("detect/peaks.py", "for unit in units:"),
        ("detect/peaks.py", "for k, channel in enumerate(channels):"),
        ("match/templates.py", "for k in range(n_units):"),
        ("sorter/run.py", 'for k in range(recording.sizes["channel"]):'),
        ("metrics/table.py", "for spike in spikes:"),
    ],
)
def test_loops_above_the_kernels_are_found(tree, file, loop):
    (found,) = breaches(tree({file: f"def f(units):\n    {loop}\n        pass\n"}))
    assert f"{file}:2: f loops over" in found
    assert "move the loop to kernels/" in found


@pytest.mark.parametrize(
    ("file", "loop"),
    [
        ("kernels/match/templates.py", "for unit in range(n_units):"),
        ("plot/templates.py", "for unit in units:"),
        ("simulation/units.py", "for unit in units:"),
        ("detect/peaks.py", "for shank in shanks:"),
        ("detect/peaks.py", "for k in range(n_shanks):"),
    ],
)
def test_other_loops_are_left_alone(tree, file, loop):
    assert breaches(tree({file: f"def f(units):\n    {loop}\n        pass\n"})) == []


@pytest.mark.parametrize(("count", "expected"), [(45, 0), (46, 1)])
def test_a_preset_that_no_longer_reads_as_its_steps_is_found(tree, count, expected):
    body = '    """Sort."""\n\n    # a reason\n' + "    step()\n\n" * count
    found = breaches(
        tree({"sorter/quick/sort.py": f"def sort_quick():\n{body}", "sorter/run.py": f"def run():\n{body}"})
    )
    assert len(found) == expected
    assert all("sort.py:1: sort_quick has 46 lines, at most 45" in line for line in found)
