"""The check for dead code finds it in a small tree, and knows each kind of use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "ci" / "check_unused.py"


def run(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(root)], capture_output=True, text=True, check=False)


@pytest.fixture
def dead(tmp_path):
    """Write files of a package; returns the names that the check calls dead."""

    def names(files: dict[str, str]) -> list[str]:
        for name, text in files.items():
            file = tmp_path / name if name.startswith("docs") else tmp_path / "src" / "xephys" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        done = run(tmp_path)
        lines = done.stdout.splitlines()[:-1]
        assert done.returncode == (1 if lines else 0), done.stderr
        return [line.split("nothing uses ")[1].split(";")[0] for line in lines]

    return names


FUNCTION = "def find():\n    return find\n"


@pytest.mark.parametrize(
    "text", [FUNCTION, "class find: ...\n", "find = 3\n", "find: int = 3\n", "a = find = 3\nprint(a)\n"]
)
def test_unused_definitions_are_found(dead, text):
    assert dead({"detect/peaks.py": text}) == ["xephys.detect.peaks.find"]


def test_the_same_name_in_another_module_does_not_count_as_a_use(dead):
    files = {
        "detect/peaks.py": FUNCTION,
        "detect/troughs.py": FUNCTION,
        "cli.py": "from .detect import troughs\ntroughs.find()\n",
    }
    assert dead(files) == ["xephys.detect.peaks.find"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cli.py", "from .detect.peaks import find\n"),
        ("cli.py", "def main():\n    from .detect import peaks as p\n    return p.find()\nmain()\n"),
        ("cli.py", 'print("detect.peaks:find")\n'),
        ("cli.py", 'print("from xephys.detect.peaks import find; find()")\n'),
        ("__init__.pyi", "from .detect.peaks import find as find\n"),
        ("__init__.pyi", "from .detect import peaks as peaks\n"),
        ("docs/page.md", "```python\nfrom xephys.detect.peaks import find\n```\n"),
    ],
)
def test_each_kind_of_use_is_recognized(dead, file, text):
    assert dead({"detect/peaks.py": FUNCTION, file: text}) == []


def test_the_device_version_of_a_kernel_counts_as_used(dead):
    files = {"kernels/peaks.py": FUNCTION + "print(find)\n", "kernels/peaks_device.py": FUNCTION + "def other(): ...\n"}
    assert dead(files) == ["xephys.kernels.peaks_device.other"]
