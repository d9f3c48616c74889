"""Compile late kernels in a second process while the first sort on a machine begins.

Numba compiles one function at a time per process and caches the result on disk. A second process therefore starts with
the kernels of clustering and matching while this one starts with the filter; each finds what the other has compiled.
The second process tells which kernel it is compiling, and the first waits for that one instead of compiling it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import numpy as np
import xarray as xr

#: Program of the second process, which ends with this one because it is no longer needed then.
PROGRAM = "from xephys.sorter.rehearse import announce, rehearse; announce(); rehearse()"
#: What comes first in it: never look for unreachable objects, which takes a seventh of the time of compiling. The
#: process ends before they could fill its memory.
FIRST = "import gc; gc.disable(); "
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def compiling_ahead() -> Iterator[None]:
    """Compile the kernels needed late in a second process, if they are not compiled yet.

    It runs at most until the end.
    """
    if is_compiled() or (os.cpu_count() or 1) < 2:
        yield
        return
    environment = os.environ | ONE_THREAD
    arguments, pipe = [sys.executable, "-c", FIRST + PROGRAM], subprocess.PIPE
    with subprocess.Popen(arguments, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, text=True) as process:
        try:
            with waiting_for(Beside(process.stdout or ())):
                yield
        finally:
            process.kill()


class Beside:
    """The kernel that the other process is compiling, by the lines in which it says so."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.current = ""
        self.changed = Condition()
        Thread(target=self._follow, args=(lines,), daemon=True).start()

    def _follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._change(line.strip())
        self._change("")  # it has ended, whether or not it is done

    def _change(self, name: str) -> None:
        with self.changed:
            self.current = name
            self.changed.notify_all()

    def wait_for(self, name: str) -> bool:
        """Wait while the other process compiles a kernel; whether it did."""
        with self.changed:
            waits = self.current == name
            self.changed.wait_for(lambda: self.current != name)
        return waits


@contextmanager
def waiting_for(beside: Beside) -> Iterator[None]:
    """Within this context, a kernel that is not in the cache yet is awaited if the other process is compiling it."""
    from numba.core import caching

    kind: Any = caching.FunctionCache
    load = kind.load_overload

    def load_or_wait(cache: Any, signature: Any, target: Any) -> Any:
        found = load(cache, signature, target)
        if found is None and beside.wait_for(full_name(cache._py_func)):
            found = load(cache, signature, target)
        return found

    kind.load_overload = load_or_wait
    try:
        yield
    finally:
        kind.load_overload = load


def announce() -> None:
    """Print the name of each kernel that this process begins to compile, except within another one.

    The result of one is on disk before the next is announced.
    """
    from numba.core import event

    class Listener(event.Listener):
        depth = 0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                print(full_name(event.data["dispatcher"].py_func), flush=True)
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1

    event.register("numba:compile", Listener())  # type: ignore[no-untyped-call]


def full_name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def is_compiled() -> bool:
    """Whether the kernel that takes longest to compile is in the cache."""
    from ..kernels.match.pursuit import pursue

    return any(Path(pursue.stats.cache_path or "").glob("pursuit.pursue-*.nbi"))


def rehearse() -> None:
    """Compile the kernels of motion, clustering, matching, merging and thresholds in this process, by small calls."""
    from ..kernels.cluster.overlapping import cut_overlapping
    from ..kernels.cluster.split import split_features
    from ..kernels.curate.merge import merge_candidates
    from ..kernels.match.thresholds import balanced_score
    from ..kernels.motion.density import pulls
    from ..kernels.motion.smoother import smooth_walk
    from ..match.templates import match_templates
    from ..templates.average import estimate_templates

    # In the order of the sort, so that the first process waits for none of them, or not for long.
    rng = np.random.default_rng(0)
    smooth_walk(np.zeros((4, 2)), np.ones((4, 2, 2)), np.zeros((4, 2)), np.eye(2), np.ones(4))
    tables, kernels = (np.ones((4, 64), np.float32), np.ones((4, 64), np.float32)), (np.ones(3), np.ones(3))
    pulls(
        np.array([0, 1]), np.ones(1), np.zeros(1, np.uint8), np.zeros(1), np.ones(1, np.float32), np.arange(2.0),
        *tables, *kernels, 0.0, 1.0, np.zeros((1, 2)), np.zeros((1, 2, 2)),
    )  # fmt: skip
    split_features(rng.standard_normal((400, 12)).astype(np.float32), halve=True)
    white, spikes = _white(rng)
    templates = estimate_templates(white.astype(np.int16), spikes, peak_channels=np.array([1, 5]))  # as kept traces are
    n_samples, nbefore = templates.sizes["sample"], int(templates.attrs["nbefore"])
    components = xr.DataArray(
        np.linalg.qr(rng.standard_normal((n_samples, 3)))[0].T,
        dims=("component", "sample"),
        attrs={"nbefore": nbefore},
    )
    match_templates(white, templates=templates, components=components, n_nearest=4, freq_max_hz=6000.0).compute(
        scheduler="synchronous"
    )
    merge_candidates(np.zeros((2, 9, 1), np.float32), np.zeros((2, 1), np.int32))
    cut_overlapping(rng.standard_normal((400, 8)).astype(np.float32), n_spikes_min=20)
    balanced_score(np.sort(4.0 + rng.exponential(1.0, 400)), 4.0, 5.0, 2.0)


def _white(rng: np.random.Generator) -> tuple[xr.DataArray, np.ndarray]:
    """A fifth of a second of noise on eight channels with spikes of two units."""
    traces = rng.standard_normal((6000, 8)).astype(np.float32)
    spikes = np.zeros(40, [("sample_index", "i8"), ("unit_index", "i8")])
    spikes["sample_index"], spikes["unit_index"] = np.arange(200, 5800, 140), np.arange(40) % 2
    shape = -30.0 * np.exp(-0.5 * (np.arange(-20, 21) / 6.0) ** 2)
    rows = spikes["sample_index"][:, None] + np.arange(-20, 21)
    traces[rows, 1 + 4 * spikes["unit_index"][:, None]] += shape
    recording = xr.DataArray(
        traces,
        dims=("time", "channel"),
        coords={"x": ("channel", np.zeros(8)), "y": ("channel", 20.0 * np.arange(8))},
        attrs={"sampling_frequency": 30_000.0, "units": "noise"},
    )
    return recording.chunk({"time": 6000}), spikes
