"""One line is logged when kernels are compiled for the first time on a machine, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

from xephys.graph.process.compiling import MESSAGE, is_new

CODE = """
import numpy as np, xephys
recording = xephys.make_recording(np.zeros((3000, 4), 'int16'), sampling_frequency=30_000.0)
recording.chunk({'time': 1000}).ephys.scale(gain=2.0).compute()
"""


def test_one_line_on_a_machine_without_compiled_kernels_and_none_afterwards(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for expected in (1, 0):
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        assert done.stderr.count(MESSAGE) == expected, done.stderr
        assert done.stdout == ""


def _dispatcher(module, index):
    cache = SimpleNamespace(_cache_file=SimpleNamespace(_index_path=index))
    return SimpleNamespace(py_func=SimpleNamespace(__module__=module), _cache=cache)


def test_only_kernels_without_a_cached_version_count(tmp_path):
    there = tmp_path / "there.nbi"
    there.touch()
    assert is_new(_dispatcher("xephys.kernels.match.pursuit", tmp_path / "absent.nbi"))
    assert not is_new(_dispatcher("xephys.kernels.match.pursuit", there))
    assert not is_new(_dispatcher("mine", tmp_path / "absent.nbi"))
    assert not is_new(_dispatcher("xephys.kernels.match.pursuit", None))
    assert not is_new(None)
