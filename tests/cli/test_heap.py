"""One heap for all threads: set where possible, unless the user has chosen otherwise, and fewer page faults with it."""

from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys

import pytest

FAULTS = """
import resource, threading
import numpy as np
from xephys.cli.heap import share_one_heap
if {shared}:
    assert share_one_heap()
def work():
    for _ in range(20):  # as a tile of 384 channels: the samples, then two arrays of float32
        arrays = [np.empty(n, np.float32) for n in (6_000_000, 12_000_000, 12_000_000)]
        for array in arrays:
            array[::1024] = 1
threads = [threading.Thread(target=work) for _ in range(2)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, shared: bool) -> int:
    # Small pages and no settings of the user's, so that the faults counted are those of the allocator.
    environment = {"NUMPY_MADVISE_HUGEPAGE": "0", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(shared=shared)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_pages_are_used_again():
    assert faults(shared=True) < 0.5 * faults(shared=False)


def test_the_users_setting_is_kept(monkeypatch):
    from xephys.cli.heap import share_one_heap

    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert share_one_heap() is False


@pytest.mark.parametrize("given", [None, "1"])
def test_small_pages_are_asked_for_unless_the_user_decided(monkeypatch, given):
    import xephys.cli

    monkeypatch.delenv("NUMPY_MADVISE_HUGEPAGE", raising=False)
    if given is not None:
        monkeypatch.setenv("NUMPY_MADVISE_HUGEPAGE", given)
    importlib.reload(xephys.cli)
    assert os.environ["NUMPY_MADVISE_HUGEPAGE"] == (given or "0")


def test_unreachable_objects_are_looked_for_rarely_in_the_command_line(monkeypatch):
    from xephys.cli import app

    usual, seen = gc.get_threshold(), []
    monkeypatch.setattr(app, "app", lambda: seen.append(gc.get_threshold()[0]))
    try:
        app.main()
    finally:
        gc.set_threshold(*usual)
    assert seen == [100_000]
