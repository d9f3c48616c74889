"""The layer check finds each kind of wrong import, and the package has none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "ci" / "check_layers.py"


def run(source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(source)], capture_output=True, text=True, check=False)


def test_the_package_has_no_wrong_import():
    done = run(ROOT / "src")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file, text, reason",
    [
        ("kernels/a.py", "import dask.array as da", "only graph/ may import dask"),
        ("kernels/a.py", "def f():\n    import xarray", "kernels take arrays and may not import xarray"),
        ("kernels/a.py", "from xephys.graph.plan import Plan", "kernels may not import graph"),
        ("kernels/a.py", "import torch", "torch is slow to import"),
        ("graph/a.py", "from ..preprocess.filter import bandpass_filter", "graph may not import operations"),
        ("graph/a.py", "from .. import cli", "graph may not import edge"),
        ("detect.py", "from distributed import Client", "only graph/ may import distributed"),
        ("detect.py", "def f():\n    from .io.open import open_recording", "operations may not import files"),
        ("detect.py", "from . import plot", "operations may not import edge"),
        ("detect.py", "from .kernels import detect", "it brings slow imports with it"),
        ("detect.py", "import numba", "numba is slow to import"),
        ("detect.py", "class A:\n    from matplotlib import pyplot", "matplotlib is slow to import"),
        ("preprocess/filter.py", "from ..sorter.run import sort", "operations may not import composition"),
        ("sorter/run.py", "from ..plot import report", "composition may not import edge"),
        ("sorter/run.py", "import dask", "only graph/ may import dask"),
        ("io/open.py", "from ..cli import app", "files may not import edge"),
        ("errors.py", "from .schema import make_recording", "base may not import model"),
    ],
)
def test_wrong_imports_are_found(tmp_path, file, text, reason):
    path = tmp_path / "xephys" / file
    path.parent.mkdir(parents=True)
    path.write_text(text + "\n", encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 1
    assert reason in done.stdout
    assert f"{path}:" in done.stdout


@pytest.mark.parametrize(
    "file, text",
    [
        ("kernels/a.py", "from numba import njit\nfrom xephys.kernels.preprocess.filter import sos_filtfilt"),
        ("graph/a.py", "import dask\nfrom ..errors import OutputError"),
        ("detect.py", "from .graph.plan import Stage\ndef f():\n    from .kernels import detect"),
        ("detect.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import spikeinterface"),
        ("sorter/run.py", "from ..detect import detect_peaks\nfrom ..graph.cluster import connect"),
        ("cli.py", "from .io.open import open_recording\nfrom .plot import report"),
    ],
)
def test_right_imports_pass(tmp_path, file, text):
    path = tmp_path / "xephys" / file
    path.parent.mkdir(parents=True)
    path.write_text(text + "\n", encoding="utf-8")
    assert run(tmp_path).returncode == 0
