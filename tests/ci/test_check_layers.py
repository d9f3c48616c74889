"""The layer check finds each kind of wrong import; `make check-layout` runs it on the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "ci" / "check_layers.py"


def run(source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(source)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "file, text, reason",
    [
        ("kernels/detect/a.py", "import dask.array as da", "only graph/ may import dask"),
        ("kernels/detect/a.py", "def f():\n    import xarray", "kernels take arrays and may not import xarray"),
        ("kernels/detect/a.py", "from xephys.graph.plan import Plan", "kernels may not import graph"),
        ("kernels/detect/a.py", "from xephys.schema import make_recording", "kernels may not import model"),
        ("kernels/detect/a.py", "import torch", "torch is slow to import"),
        (
            "kernels/detect/a.py",
            "from ..features.waveforms import snippets",
            "kernels/detect/ may not import kernels/feat",
        ),
        (
            "kernels/metrics/a.py",
            "from ..match.pursuit import pursue",
            "kernels/metrics/ may not import kernels/match/",
        ),
        ("kernels/lib/a.py", "from ..metrics.refractory import count", "kernels/lib/ may not import kernels/metrics/"),
        ("kernels/lib/a.py", "def f():\n    from ..match import pursuit", "move what both need to kernels/lib/"),
        ("graph/a.py", "from ..preprocess.filter import bandpass_filter", "graph may not import operations"),
        ("graph/a.py", "from .. import cli", "graph may not import application"),
        ("detect/a.py", "from distributed import Client", "only graph/ may import distributed"),
        ("detect/a.py", "def f():\n    from ..io.read.open import open_recording", "operations may not import files"),
        ("detect/a.py", "from .. import plot", "operations may not import application"),
        ("detect/a.py", "from ..kernels import detect", "it brings slow imports with it"),
        ("detect/a.py", "from ..kernels.lib.lanes import lanes_of", "it brings slow imports with it"),
        ("detect/a.py", "import numba", "numba is slow to import"),
        ("detect/a.py", "class A:\n    from matplotlib import pyplot", "matplotlib is slow to import"),
        ("preprocess/filter.py", "from ..sorter.run import sort", "operations may not import composition"),
        ("sorter/run.py", "from ..plot import report", "composition may not import application"),
        ("sorter/run.py", "from ..io.store.save import save_recording", "composition may not import files"),
        ("sorter/run.py", "import dask", "only graph/ may import dask"),
        ("io/read/open.py", "from ...cli import app", "files may not import application"),
        ("io/read/open.py", "from ...sorter.run import sort", "files may not import composition"),
        ("errors.py", "from .schema import make_recording", "base may not import model"),
        ("schema.py", "from .kernels.lib.lanes import lanes_of", "model may not import kernels"),
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


@pytest.mark.parametrize("file", ["helpers.py", "utils/arrays.py", "utils/__init__.py"])
def test_a_name_that_belongs_to_no_layer_is_refused(tmp_path, file):
    path = tmp_path / "xephys" / file
    path.parent.mkdir(parents=True)
    path.write_text("", encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 1
    first = "helpers" if file == "helpers.py" else "utils"
    assert f"{path}: {first} belongs to no layer; name it in LAYERS" in done.stdout


@pytest.mark.parametrize(
    "file, text",
    [
        ("kernels/detect/a.py", "from numba import njit\nfrom xephys.kernels.detect.filter import sos_filtfilt"),
        ("kernels/detect/a.py", "from ..lib.lanes import lanes_of\nfrom ..metrics.refractory import count"),
        ("kernels/metrics/a.py", "from ..lib.lanes import lanes_of"),
        ("kernels/features/a.py", "from ..detect.peaks import PEAK_DTYPE"),
        ("graph/a.py", "import dask\nfrom ..errors import OutputError"),
        ("detect/a.py", "from ..graph.plan import Stage\ndef f():\n    from ..kernels import detect"),
        (
            "detect/a.py",
            "from ..kernels.lib.records import PEAK_DTYPE\nfrom ..kernels.lib.constants import MAD_OF_NORMAL",
        ),
        ("detect/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import spikeinterface"),
        ("schema.py", "from .kernels.lib.records import PEAK_DTYPE"),
        ("sorter/run.py", "from ..detect.peaks import detect_peaks\nfrom ..graph.scheduler import connect"),
        ("cli/app.py", "from ..io.read.open import open_recording\nfrom ..plot import report"),
    ],
)
def test_right_imports_pass(tmp_path, file, text):
    path = tmp_path / "xephys" / file
    path.parent.mkdir(parents=True)
    path.write_text(text + "\n", encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
