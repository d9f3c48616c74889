"""A second process compiles kernels in advance: only if that helps, no longer than the sort, and the right ones."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time

import pytest

from xephys.sorter import rehearse as module
from xephys.sorter.rehearse import Beside, compiling_ahead, is_compiled

SAME_KERNELS = """
import sys
from numba.core.dispatcher import Dispatcher
from xephys.kernels.cluster.modes import _join
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
    pursue, _add_templates, _correlate, _interleave, _join, _balanced_score, _similarities, pulls, smooth_walk
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
twice = {"_scale", "_add", "_collect"}
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


def test_a_kernel_that_the_other_process_compiles_is_awaited():
    said, told = queue.SimpleQueue(), threading.Event()

    def lines():
        yield "a.kernel\n"
        told.set()
        said.get()
        yield "another.kernel\n"
        said.get()

    beside = Beside(lines())
    assert told.wait(10)
    while beside.current != "a.kernel":
        time.sleep(0.001)
    assert not beside.wait_for("unknown.kernel")
    waiting = threading.Thread(target=beside.wait_for, args=("a.kernel",), daemon=True)
    waiting.start()
    assert waiting.is_alive()
    said.put(None)
    waiting.join(10)
    assert not waiting.is_alive()
    said.put(None)  # the process ends, so nothing is awaited any more
    assert beside.wait_for("another.kernel") in (True, False)


SHARED = """
import sys
from numba.core import event
from xephys.kernels.motion.smoother import smooth_walk
from xephys.sorter import rehearse as module
import numpy as np

module.is_compiled = lambda: False
module.os.cpu_count = lambda: 2
module.PROGRAM = "from xephys.sorter.rehearse import announce; announce(); " + sys.argv[1]
call = lambda: smooth_walk(np.zeros((4, 2)), np.ones((4, 2, 2)), np.zeros((4, 2)), np.eye(2), np.ones(4))
compiled = []


class Listener(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event):
        pass


event.register("numba:compile", Listener())
follow = module.Beside._change
begun = module.Condition()


def change(self, name):
    follow(self, name)
    with begun:
        begun.notify_all()


module.Beside._change = change
with begun, module.compiling_ahead():
    begun.wait(100)  # the second process has begun
    call()
print("smooth_walk" in compiled)
"""


@pytest.mark.parametrize(("program", "again"), [("CALL", False), ("print('another.kernel', flush=True)", True)])
def test_what_the_second_process_compiles_the_first_does_not(tmp_path, program, again):
    call = "import numpy as np; from xephys.kernels.motion.smoother import smooth_walk; " + next(
        line.split("lambda: ")[1] for line in SHARED.splitlines() if line.startswith("call")
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    process = subprocess.run(
        [sys.executable, "-c", SHARED, program.replace("CALL", call)],
        capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip
    assert process.stdout.strip() == str(again), process.stderr
