"""A second process compiles kernels in advance: only if that helps, no longer than the sort, and the right ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from xephys.sorter import rehearse as module
from xephys.sorter.rehearse import compiling_ahead, is_compiled

SAME_KERNELS = """
import sys
from numba.core.dispatcher import Dispatcher
from xephys.kernels.cluster.modes import joined_modes
from xephys.kernels.curate.merge import _similarities
from xephys.kernels.match.features import _add_templates
from xephys.kernels.match.pursuit import pursue
from xephys.kernels.match.scores import _correlate, _interleave
from xephys.kernels.match.thresholds import _balanced_score
from xephys.kernels.motion.density import pulls
from xephys.kernels.motion.smoother import smooth_walk
from xephys.sorter.rehearse import rehearse
import xephys
from xephys.testing import simulate_recording

rehearse()
kernels = (
    pursue, _add_templates, _correlate, _interleave, joined_modes, _balanced_score, _similarities, pulls, smooth_walk
)
before = [list(kernel.signatures) for kernel in kernels]
assert all(before), "a kernel was not rehearsed"
recording, _ = simulate_recording(duration_s=10, n_channels=16, n_units=4, seed=0)
xephys.sort(recording)
assert [list(kernel.signatures) for kernel in kernels] == before, "a sort uses them with other types"
every = {kernel for name, module in sys.modules.items() if name.startswith("xephys.kernels.")
         for kernel in vars(module).values() if isinstance(kernel, Dispatcher)}
again = sorted(kernel.__name__ for kernel in every if len(kernel.signatures) > 1)
# Integers and floats are scaled; the rest are short helpers of two callers.
twice = {"_scale", "_add", "_collect", "amplitude_and_gain"}
assert set(again) <= twice, f"compiled for more than one set of types: {again}"
assert max(len(kernel.signatures) for kernel in every) <= 2, "compiled for more than two sets of types"
"""


@pytest.fixture
def started(monkeypatch):
    """Processes that were started in place of the real ones; each would sleep for a minute."""
    processes, real = [], subprocess.Popen
    monkeypatch.setattr(module, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)

    def start(*arguments, **options):
        processes.append(real(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(module.subprocess, "Popen", start)
    return processes


def test_a_second_process_ends_with_the_first_sort(started, monkeypatch):
    monkeypatch.setattr(module, "is_compiled", lambda: False)
    with pytest.raises(ZeroDivisionError), compiling_ahead():
        (process,) = started
        assert process.poll() is None
        raise ZeroDivisionError
    assert process.returncode is not None


@pytest.mark.parametrize(("compiled", "n_cores"), [(True, 8), (False, 1), (False, None)])
def test_no_process_is_started_if_it_would_not_help(started, monkeypatch, compiled, n_cores):
    monkeypatch.setattr(module, "is_compiled", lambda: compiled)
    monkeypatch.setattr(module.os, "cpu_count", lambda: n_cores)
    with compiling_ahead():
        pass
    assert not started


def test_compiled_kernels_on_disk_are_recognized(tmp_path, monkeypatch):
    from xephys.kernels.match import pursuit

    class Stats:
        cache_path = str(tmp_path)

    monkeypatch.setattr(pursuit, "pursue", type("Kernel", (), {"stats": Stats}))
    assert not is_compiled()
    (tmp_path / "pursuit.pursue-288.py311.nbi").touch()
    assert is_compiled()


def test_rehearsed_kernels_are_those_of_a_sort():
    process = subprocess.run([sys.executable, "-c", SAME_KERNELS], capture_output=True, text=True, env=dict(os.environ))
    assert process.returncode == 0, process.stderr
