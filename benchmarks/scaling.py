"""How a sort scales with cores: wall and CPU time by stage on 1, 2, 4 … cores, and the bound that follows.

    python benchmarks/scaling.py [--quick] [--recording FOLDER] [--duration-s 20] [--cores 1,2,4] [--processes 1,2,4]

Every run is a process of its own on that many cores; the sort is then repeated on a cluster of 1, 2, 4 … worker
processes of one thread each, on all cores. If a stage takes ``w1`` on one core and ``wk`` on k, its serial part is
``s = (k wk - w1) / (k - 1)``, at least 0, and on n cores it takes at best ``s + (w1 - s) / n``.

Cores may share caches, memory or, as threads of one physical core, everything. What two threads gain at most is
therefore measured beside the sort: loops in registers, in caches and in memory, on one thread and on as many as cores.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import run_process, table, write_result

#: Cores for which a prediction is made.
MANY = 16


class Use(NamedTuple):
    """Time that a stage has used, or a reading of the counters."""

    wall_s: float
    cpu_s: float
    system_s: float
    page_faults: int
    waits: int

    def since(self, begin: "Use") -> "Use":
        return Use(*(a - b for a, b in zip(self, begin, strict=True)))

    def plus(self, other: "Use") -> "Use":
        return Use(*(a + b for a, b in zip(self, other, strict=True)))


def now() -> Use:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return Use(time.perf_counter(), own.ru_utime + own.ru_stime, own.ru_stime, own.ru_minflt, own.ru_nvcsw)


@contextmanager
def at_work(n_cores: int, *, processes: bool) -> Iterator[None]:
    """Compute on threads of this process, or on worker processes of one thread each."""
    import dask

    from xephys.graph.workers import local_cluster

    if processes:
        with local_cluster(n_workers=n_cores, threads_per_worker=1):
            yield
    else:
        with dask.config.set(scheduler="threads", num_workers=n_cores):
            yield


def sort_once(
    recording: Path, *, n_cores: int, duration_s: float, device: str | None, processes: bool = False
) -> dict[str, Use]:
    """Sort twice and return the cost of each stage of the second sort in this process; the first loads the kernels."""
    import xephys
    from xephys.cli.heap import share_one_heap
    from xephys.sorter.steps.passes import CallOnce, Run

    share_one_heap()
    stages: dict[str, Use] = {}
    inside: list[str] = []

    def timed(kind: Any, method: str, name_of: Callable[[Any], str]) -> None:
        function = getattr(kind, method)

        @wraps(function)
        def call(self: Any, first: Any, *args: Any, **keywords: Any) -> Any:
            if inside:
                return function(self, first, *args, **keywords)
            name = name_of(first)
            inside.append(name)
            begin = now()
            try:
                return function(self, first, *args, **keywords)
            finally:
                inside.pop()
                stages[name] = now().since(begin).plus(stages.get(name, Use(0, 0, 0, 0, 0)))

        setattr(kind, method, call)

    timed(Run, "collect", lambda stage: f"pass: {stage}")
    timed(Run, "total", lambda plan: f"sums: {plan.stages[-1].func.__name__}")
    timed(CallOnce, "__call__", lambda function: str(function.__name__))
    traces = xephys.open_recording(recording)
    part = traces.isel(time=slice(0, round(duration_s * traces.attrs["sampling_frequency"])))
    more = {} if device is None else {"device": device}
    with at_work(n_cores, processes=processes):
        xephys.sort(part, **more)
        stages.clear()
        begin = now()
        xephys.sort(part, **more)
        whole = now().since(begin)
    rest = whole
    for use in stages.values():
        rest = rest.since(use)
    return {**stages, "the rest": rest, "whole sort": whole}


def measure(
    recording: Path, *, cores: list[int], duration_s: float, device: str | None, processes: bool = False
) -> dict[int, dict[str, Use]]:
    """Cost of the stages at each number of cores, or of worker processes on all cores."""
    found = {}
    for n_cores in cores:
        arguments = [sys.executable, __file__, "--child", "--recording", str(recording), "--cores", str(n_cores)]
        arguments += ["--duration-s", str(duration_s), *(["--device", device] if device else [])]
        arguments += ["--in-processes"] if processes else []
        n_usable = len(os.sched_getaffinity(0)) if processes else n_cores
        process = run_process(
            arguments, n_cores=n_usable, NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"
        )
        stages = json.loads(process.output.strip().splitlines()[-1])
        found[n_cores] = {name: Use(*values) for name, values in stages.items()}
        print(
            f"{n_cores} {'processes' if processes else 'cores'}: {found[n_cores]['whole sort'].wall_s:.2f} s",
            flush=True,
        )
    return found


def alone_s(one_s: float, many_s: float, n_cores: int) -> float:
    """Seconds of the serial part of a stage, from its wall times on one core and on several.

    Examples
    --------
    >>> alone_s(10.0, 6.0, 2)
    2.0
    """
    return min(one_s, max(0.0, (n_cores * many_s - one_s) / (n_cores - 1))) if n_cores > 1 else one_s


def machine_limit(n_threads: int, *, seconds: float = 0.4, rounds: int = 5) -> list[tuple[str, float]]:
    """How many times the work of one thread several do in the same time, if nothing waits for anything but hardware."""
    from numba import njit

    @njit(nogil=True)  # type: ignore[untyped-decorator]
    def spin(n: int) -> float:
        a, b, c, d = 1.0, 2.0, 3.0, 4.0
        for _ in range(n):
            a, b, c, d = a * 0.999 + 1e-3, b * 0.999 + 1e-3, c * 0.999 + 1e-3, d * 0.999 + 1e-3
        return a + b + c + d

    @njit(nogil=True)  # type: ignore[untyped-decorator]
    def change(values: Any, n: int) -> None:
        for _ in range(n):
            for i in range(values.size):
                values[i] = values[i] * np.float32(0.999) + np.float32(1e-3)

    def wall(work: Callable[[int], Any], n: int) -> float:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(n)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begin

    found = []
    for name, n_bytes in (("registers", 0), ("16 KiB", 2**14), ("512 KiB", 2**19), ("128 MiB", 2**27)):
        own = [np.ones(n_bytes // 4, np.float32) for _ in range(n_threads)]

        def work(k: int, n: int = 1, own: Any = own) -> None:
            change(own[k], n) if own[k].size else spin(1000 * n)

        work(0)
        n, taken = 1, 0.0
        while taken < seconds / 4:
            n *= 2
            taken = wall(partial(work, n=n), 1)
        walls = [(wall(partial(work, n=n), 1), wall(partial(work, n=n), n_threads)) for _ in range(rounds)]
        found.append((name, n_threads * statistics.median(one / many for one, many in walls)))
    return found


def report_limit(n_threads: int, gained: float) -> tuple[str, ...]:
    """What the machine gives so many threads, and the gain of the sort as a share of the least and most of it."""
    limits = machine_limit(n_threads)
    least, most = min(limit for _, limit in limits), max(limit for _, limit in limits)
    return (
        "## What the machine gives",
        f"{n_threads} threads that share nothing but hardware do so many times the work of one in the same time, by"
        f" the size of the memory that each changes over and over. The whole sort gains {gained:.2f}: "
        f"{gained / most:.0%} of the most and {gained / least:.0%} of the least of these.",
        table(("memory of a thread", "times one"), [(name, f"{limit:.2f}") for name, limit in limits]),
    )


def report(found: dict[int, dict[str, Use]], *, duration_s: float) -> tuple[str, ...]:
    cores = sorted(found)
    first, last = found[cores[0]], found[cores[-1]]
    rows = []
    for name in first:
        if name not in last or (first[name].wall_s < 0.02 and last[name].wall_s < 0.02):
            continue
        walls = [found[n][name].wall_s for n in cores]
        two = cores[min(1, len(cores) - 1)]
        by_two = alone_s(walls[0], found[two][name].wall_s, two)
        by_all = alone_s(walls[0], walls[-1], cores[-1])
        rows.append(
            (
                name, *(f"{wall:.2f}" for wall in walls), f"{first[name].cpu_s:.2f}", f"{last[name].cpu_s:.2f}",
                f"{first[name].system_s:.2f}", f"{last[name].system_s:.2f}", f"{last[name].page_faults / 1e3:.0f}k",
                f"{by_two:.2f}", f"{by_two + (walls[0] - by_two) / MANY:.2f}", f"{by_all:.2f}",
            )
        )  # fmt: skip
    header = (
        "stage", *(f"wall, {n}" for n in cores), f"CPU, {cores[0]}", f"CPU, {cores[-1]}", f"system, {cores[0]}",
        f"system, {cores[-1]}", "faults", "alone, by 2", f"wall at {MANY}, by 2", f"alone, by {cores[-1]}",
    )  # fmt: skip
    return (
        "# One sort on more cores",
        f"{duration_s:g} s of recording, the second sort of a process, seconds. CPU: all threads; system: part of it. "
        "Alone: what does not get shorter with more cores, by the walls at the smallest and the next or largest number "
        "of cores.",
        table(header, rows),
    )


def report_processes(found: dict[int, dict[str, Use]]) -> tuple[str, ...]:
    """Wall time by stage on a cluster of worker processes."""
    counts = sorted(found)
    whole = found[counts[0]]["whole sort"].wall_s
    rows = [
        (name, *(f"{found[n][name].wall_s:.2f}" for n in counts))
        for name in found[counts[0]]
        if all(name in found[n] for n in counts) and found[counts[0]][name].wall_s >= 0.1
    ]
    rows.append(("times one process", *(f"{whole / found[n]['whole sort'].wall_s:.2f}" for n in counts)))
    return (
        "## Worker processes",
        "The same on a cluster of worker processes of one thread each, all on this machine; white traces on disk.",
        table(("stage", *(f"wall, {n}" for n in counts)), rows),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 channels, six seconds; writes no table")
    parser.add_argument("--recording", type=Path, help="folder of a recording; simulated if absent")
    parser.add_argument("--duration-s", type=float, default=20.0)
    parser.add_argument("--cores", default="", help="numbers of cores, such as 1,2,4; all powers of two if absent")
    parser.add_argument("--processes", default="1,2,4", help="numbers of worker processes; none if empty")
    parser.add_argument("--device", help="sort on a device")
    parser.add_argument("--in-processes", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    n_all = len(os.sched_getaffinity(0))
    cores = [int(n) for n in given.cores.split(",") if n] or [2**k for k in range(8) if 2**k <= n_all]
    if given.child:
        stages = sort_once(
            given.recording,
            n_cores=cores[0],
            duration_s=given.duration_s,
            device=given.device,
            processes=given.in_processes,
        )
        print(json.dumps(stages))
        return
    with tempfile.TemporaryDirectory() as folder:
        recording, duration_s = given.recording, given.duration_s
        if recording is None:
            recording = Path(folder) / "recording"
            duration_s = simulate(recording, quick=given.quick, duration_s=duration_s)
        found = measure(recording, cores=cores, duration_s=duration_s, device=given.device)
        parts = report(found, duration_s=duration_s)
        if len(found) > 1:
            one, many = (found[n]["whole sort"].wall_s for n in (min(found), max(found)))
            parts += report_limit(max(found), one / many)
        counts = [int(n) for n in given.processes.split(",") if n]
        if counts and given.device is None:
            on_workers = measure(recording, cores=counts, duration_s=duration_s, device=None, processes=True)
            parts += report_processes(on_workers)
    if given.quick or given.recording:
        print("\n\n".join(parts))
    else:
        write_result("scaling", *parts)


def simulate(folder: Path, *, quick: bool, duration_s: float) -> float:
    """Write the recording that the other benchmarks sort, 384 channels with 150 units, and return its duration."""
    from xephys.io.store.save import save_recording
    from xephys.testing import simulate_recording

    size = {"duration_s": 6.0, "n_channels": 16, "n_units": 4} if quick else {"n_channels": 384, "n_units": 150}
    recording, _ = simulate_recording(**{"duration_s": duration_s, "amplitude_range_uv": (30.0, 150.0), **size})
    save_recording(recording, folder, format="binary")
    return float(size.get("duration_s", duration_s))


if __name__ == "__main__":
    main()
