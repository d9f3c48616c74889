"""Watch memory, disk and progress while a stage runs, and end the recording before the machine suffers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...graph.keep.room import disk_free_bytes
from ...sorter.progress import Report
from ..classified import (
    DiskExhaustionError,
    GpuMemoryWatchdogError,
    GpuThermalWatchdogError,
    HostMemoryWatchdogError,
    IOStallError,
    SorterTimeoutError,
    SpikeSortingClassifiedError,
)
from ..config.config import SortingPipelineConfig
from .sources import Group

T = TypeVar("T")


class Watch:
    """The guards of one group: each looks at one resource and returns the failure that it means.

    Parameters
    ----------
    config
        Limits are in the group ``execution``.
    group
        Its folders are watched.
    progress
        Function that is told about finished chunks.
    """

    def __init__(self, config: SortingPipelineConfig, group: Group, progress: Report | None) -> None:
        self.config, self.group, self.progress = config, group, progress
        self.tripped: SpikeSortingClassifiedError | None = None
        self.minutes = 0.0
        self.begin()

    def begin(self) -> None:
        """Start counting silence."""
        now = time.monotonic()
        self.heard, self.moved, self.size, self.counted = now, now, -1, -1

    def report(self, stage: str, done: int, total: int) -> None:
        """A chunk is finished: the sorter is alive. If a guard has tripped, the sorter ends here."""
        self.heard = time.monotonic()
        if self.tripped is not None:
            raise self.tripped
        if self.progress is not None:
            self.progress(f"{self.group.name}: {stage}", done, total)

    def look(self, work: Path) -> SpikeSortingClassifiedError | None:
        """The first failure that a guard sees; None if all is well."""
        execution = self.config.execution
        guards: tuple[tuple[bool, Callable[[], SpikeSortingClassifiedError | None]], ...] = (
            (execution.host_ram_watchdog, self._memory),
            (execution.disk_watchdog, self._disk),
            (execution.sorter_inactivity_timeout, lambda: self._silence(work)),
            (execution.io_stall_watchdog, self._stall),
            (execution.gpu_watchdog, self._gpu),
        )
        return next((found for on, guard in guards if on and (found := guard()) is not None), None)

    def _memory(self) -> SpikeSortingClassifiedError | None:
        import psutil

        used, limit = float(psutil.virtual_memory().percent), self.config.execution.host_ram_abort_pct
        if used < limit:
            return None
        return HostMemoryWatchdogError(
            f"{used:g} % of the machine's memory are in use, the limit is {limit:g} % (host_ram_abort_pct); sort fewer "
            "recordings at once",
            percent_at_trip=used,
            abort_pct=limit,
        )

    def _disk(self) -> SpikeSortingClassifiedError | None:
        limit = self.config.execution.disk_abort_free_gb
        for folder in (self.group.intermediate, self.group.results):
            free = disk_free_bytes(folder) / 1e9
            if free < limit:
                return DiskExhaustionError(
                    f"the disk of {folder} has {free:.3g} GB free, the limit is {limit:g} GB (disk_abort_free_gb); "
                    "free some, or choose another folder",
                    folder=str(folder),
                    free_gb_at_trip=free,
                    abort_threshold_gb=limit,
                )
        return None

    def _silence(self, work: Path) -> SpikeSortingClassifiedError | None:
        execution, now = self.config.execution, time.monotonic()
        size = sum(path.stat().st_size for path in work.rglob("*.log")) if work.is_dir() else 0
        if size != self.size:
            self.heard, self.size = now, size
        base = execution.sorter_inactivity_base_s + execution.sorter_inactivity_per_min_s * self.minutes
        limit, silent = min(execution.sorter_inactivity_max_s, base), now - self.heard
        if silent <= limit:
            return None
        name = self.config.sorter.sorter_name
        return SorterTimeoutError(
            f"{name} has been silent for {silent:.3g} s, the limit is {limit:.3g} s (sorter_inactivity_base_s); it "
            "hangs, or needs a longer limit",
            sorter=name,
            inactivity_s=silent,
        )

    def _stall(self) -> SpikeSortingClassifiedError | None:
        import psutil

        execution, now = self.config.execution, time.monotonic()
        process = psutil.Process()
        every = [process, *(process.children(recursive=True) if execution.io_stall_include_descendants else [])]
        counted = 0.0
        for one in every:
            try:
                io, cpu = one.io_counters(), one.cpu_times()
            except (psutil.Error, AttributeError):  # ended, or a system that does not count
                continue
            counted += io.read_chars + io.write_chars + cpu.user + cpu.system
        if counted != self.counted:
            self.moved, self.counted = now, counted
        if now - self.moved <= execution.io_stall_s:
            return None
        return IOStallError(
            f"nothing was read, written or computed for {now - self.moved:.3g} s, the limit is "
            f"{execution.io_stall_s:g} s (io_stall_s); is the disk still there?",
            device=str(self.group.intermediate),
            stall_s=now - self.moved,
        )

    def _gpu(self) -> SpikeSortingClassifiedError | None:
        execution = self.config.execution
        for index, (used_pct, celsius) in enumerate(gpu_states()):
            if used_pct > execution.gpu_abort_pct:
                return GpuMemoryWatchdogError(
                    f"{used_pct:.3g} % of GPU {index}'s memory are in use, the limit is {execution.gpu_abort_pct:g} % "
                    "(gpu_abort_pct)",
                    device_index=index,
                    used_pct=used_pct,
                    abort_pct=execution.gpu_abort_pct,
                )
            if celsius > execution.gpu_abort_temp_c:
                return GpuThermalWatchdogError(
                    f"GPU {index} has {celsius:g} °C; gpu_abort_temp_c is {execution.gpu_abort_temp_c:g} °C",
                    device_index=index,
                    temperature_c=celsius,
                    abort_temp_c=execution.gpu_abort_temp_c,
                )
        return None


def gpu_states() -> list[tuple[float, float]]:
    """Memory in use in percent, and temperature in °C, of each GPU; empty where NVIDIA's library is not installed."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(k) for k in range(pynvml.nvmlDeviceGetCount())]
        return [
            (
                100 * pynvml.nvmlDeviceGetMemoryInfo(handle).used / pynvml.nvmlDeviceGetMemoryInfo(handle).total,
                float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
            )
            for handle in handles
        ]
    except pynvml.NVMLError:
        return []


def guarded(call: Callable[[], T], watch: Watch, work: Path, *, end: Callable[[], None] = lambda: None) -> T:
    """Run a call on a thread of its own and look at the guards meanwhile.

    If a guard trips, ``end`` is called, and the call is told at its next finished chunk; one that does not listen is
    left behind after ``sorter_inactivity_in_process_grace_s``.

    Raises
    ------
    SpikeSortingClassifiedError
        What the guard saw, or what the call itself raised.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
            raised.append(error)

    watch.begin()
    thread = threading.Thread(target=run, daemon=True, name=f"sort {watch.group.name}")
    thread.start()
    execution = watch.config.execution
    while True:
        thread.join(execution.host_ram_poll_interval_s)
        if not thread.is_alive():
            break
        watch.tripped = watch.look(work)
        if watch.tripped is not None:
            end()
            thread.join(execution.sorter_inactivity_in_process_grace_s)
            raise watch.tripped
    if raised:
        raise raised[0]
    return returned[0]
