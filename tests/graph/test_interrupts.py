"""An interrupt while Dask's threads start ends the process, like any other."""

from __future__ import annotations

import signal
import subprocess
import sys

import dask
import pytest

from xephys.graph.scheduler import interrupts_wait, start_pool

from ..support.processes import hear_ctrl_c

#: Ctrl-C arrives as soon as the first thread runs, before the pool knows it: without ``start_pool`` nobody ends it.
SCRIPT = """
import signal, threading
import dask.array as da
from xephys.graph.events import compute
start = threading.Thread.start
def interrupted(thread):
    start(thread)
    if "ThreadPool" in thread.name:
        signal.raise_signal(signal.SIGINT)
threading.Thread.start = interrupted
compute(da.ones(3, chunks=1))
"""


def test_an_interrupt_at_the_start_of_the_first_thread_ends_the_process():
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, timeout=120, check=False, preexec_fn=hear_ctrl_c
    )
    assert ended.returncode != 0
    assert b"KeyboardInterrupt" in ended.stderr


@pytest.fixture
def interruptible():
    """Processes that a shell starts in the background ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupts_wait_for_the_end_and_one_counts():
    seen = []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        seen.append("after")
    assert seen == ["after"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_that_are_ignored_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_threads_start_where_tasks_run_elsewhere(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a pool was started")

    monkeypatch.setattr("xephys.graph.scheduler._STARTED", set())
    monkeypatch.setattr("dask.threaded.get", refuse)
    with dask.config.set(scheduler="synchronous"):
        start_pool()
