"""What the benchmarks share: recordings on disk, the two chains, alternating timing, processes, tables."""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
BAND_HZ = (300.0, 6000.0)
ORDER = 5
#: A Neuropixels-like probe has two contacts every 20 µm, so this radius holds about as many channels as our 32 nearest.
WHITENING_RADIUS_UM = 160.0


class Job(NamedTuple):
    """How SpikeInterface's chunk executor is run."""

    pool: str
    n_jobs: int
    chunk_s: float

    def __str__(self) -> str:
        if self.n_jobs == 1:
            return f"loop, chunks of {self.chunk_s:g} s"
        return f"{self.n_jobs} {'threads' if self.pool == 'thread' else 'processes'}, chunks of {self.chunk_s:g} s"

    @property
    def keywords(self) -> dict[str, Any]:
        return {
            "pool_engine": self.pool,
            "n_jobs": self.n_jobs,
            "chunk_duration": f"{self.chunk_s}s",
            "max_threads_per_worker": 1,
            "progress_bar": False,
        }


def jobs(chunks_s: Sequence[float]) -> list[Job]:
    """All jobs that are tried: one worker, two threads, two processes."""
    return [Job(pool, n, s) for (pool, n), s in product([("thread", 1), ("thread", 2), ("process", 2)], chunks_s)]


def recording_on_disk(folder: Path, *, duration_s: float, n_channels: int, **parameters: Any) -> tuple[Any, Any]:
    """A simulated recording saved as int16, opened by xephys and by SpikeInterface."""
    from spikeinterface import load

    from xephys.io.store.save import save_recording
    from xephys.testing import simulate_recording

    recording, _ = simulate_recording(duration_s=duration_s, n_channels=n_channels, **parameters)
    ours = save_recording(recording, folder / "recording", format="binary")
    return ours, load(folder / "recording")


def our_chain(recording: Any) -> Any:
    """Band-pass, median reference, local whitening with the 32 nearest channels; estimates computed, the rest lazy."""
    import xephys

    filtered = xephys.bandpass_filter(recording, freq_min_hz=BAND_HZ[0], freq_max_hz=BAND_HZ[1], order=ORDER)
    referenced = xephys.common_reference(filtered, reference="global", operator="median")
    return xephys.whiten(referenced, whitening=xephys.estimate_whitening(referenced, mode="local", n_nearest=32))


def their_chain(recording: Any) -> Any:
    """The same three steps in SpikeInterface, in float32; the whitening matrix is estimated here."""
    import spikeinterface.preprocessing as preprocessing

    filtered = preprocessing.bandpass_filter(
        recording, freq_min=BAND_HZ[0], freq_max=BAND_HZ[1], filter_order=ORDER, dtype="float32"
    )
    referenced = preprocessing.common_reference(filtered, reference="global", operator="median")
    return preprocessing.whiten(referenced, mode="local", radius_um=WHITENING_RADIUS_UM, dtype="float32", seed=0)


def seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def cpu_seconds(call: Callable[[], Any]) -> float:
    """CPU time of all threads and finished child processes of a call, which other processes hardly affect."""
    begin = _cpu_s()
    call()
    return _cpu_s() - begin


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def in_turn(calls: Sequence[Callable[[], Any]], *, rounds: int) -> list[list[float]]:
    """Seconds of each call in each round; the calls alternate, so that a busy machine slows all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for taken, call in zip(times, calls, strict=True):
            taken.append(seconds(call))
    return times


def median_ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """Median over rounds of how many times as long theirs took."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def write_result(name: str, *parts: str) -> None:
    """Write ``results/<name>.md`` and show it."""
    text = "\n\n".join([*parts, machine()]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("spikeinterface", "numpy", "scipy", "numba", "dask"))
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores; Python {platform.python_version()}, {versions}. "
        "Shared machine: quote the ratios, which come from calls made in turn."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Process(NamedTuple):
    """What the operating system reports about a finished process and its children."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str


def run_process(arguments: Sequence[str], *, n_cores: int = 2, **environment: str) -> Process:
    """Run a program on ``n_cores`` cores, with no other limit on its threads, and account for its cost.

    Raises
    ------
    RuntimeError
        If the program fails; the error holds its output.
    """
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | environment
    free.pop("PYTHONDONTWRITEBYTECODE", None)  # or a checkout is compiled in every process, unlike what is installed
    cores = sorted(os.sched_getaffinity(0))[:n_cores]
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        child = subprocess.Popen(
            arguments,
            env=free,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        peak = _watch_peak(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with status {child.returncode}: {text}")
    return Process(wall_s, usage.ru_utime + usage.ru_stime, peak, text)


def _watch_peak(pid: int) -> int:
    """Peak resident bytes of a child process, watched until it ends.

    The last reading of its high-water mark is used rather than ``ru_maxrss``, because a child inherits ``ru_maxrss``
    from the process that started it.
    """
    peak = 0
    while (mark := peak_bytes(pid)) is not None:
        peak = mark
        time.sleep(0.01)
    return peak


def peak_bytes(pid: int | None = None) -> int | None:
    """Peak resident bytes of a process until now, by default this one; None if it has ended."""
    status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text()
    mark = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
    return None if mark is None else int(mark.split()[1]) * 1024


def xephys_command(*arguments: object) -> list[str]:
    """The command line in a process of its own."""
    return [sys.executable, "-m", "xephys", *map(str, arguments)]
