"""Guards end a recording with the failure that they see."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from xephys.pipeline import SortingPipelineConfig
from xephys.pipeline.batch import guards
from xephys.pipeline.batch.guards import Watch, guarded
from xephys.pipeline.batch.sources import Group, Part
from xephys.pipeline.classified import SpikeSortingClassifiedError

QUIET = {
    "host_ram_watchdog": False, "disk_watchdog": False, "sorter_inactivity_timeout": False, "io_stall_watchdog": False,
    "gpu_watchdog": False, "host_ram_poll_interval_s": 0.01, "sorter_inactivity_in_process_grace_s": 1.0,
}  # fmt: skip


def watch_with(folder: Path, **execution: Any) -> Watch:
    group = Group("a", (Part("a", None),), folder / "i", folder / "r")
    return Watch(SortingPipelineConfig.from_kwargs(**{**QUIET, **execution}), group, None)


@pytest.mark.parametrize(
    ("limits", "name", "attribute"),
    [
        ({"host_ram_watchdog": True, "host_ram_abort_pct": 1.0}, "HostMemoryWatchdogError", "percent_at_trip"),
        ({"disk_watchdog": True, "disk_abort_free_gb": 1e9}, "DiskExhaustionError", "free_gb_at_trip"),
        (
            {"sorter_inactivity_timeout": True, "sorter_inactivity_base_s": 0.05, "sorter_inactivity_per_min_s": 0.0},
            "SorterTimeoutError",
            "inactivity_s",
        ),
    ],
)
def test_real_limits(tmp_path: Path, limits: dict[str, Any], name: str, attribute: str) -> None:
    ended = threading.Event()
    watch = watch_with(tmp_path, **limits)

    def sorter() -> None:
        try:
            for _ in range(500):
                time.sleep(0.1)
                watch.report("detect", 0, 1)
        finally:
            ended.set()

    with pytest.raises(SpikeSortingClassifiedError) as raised:
        guarded(sorter, watch, tmp_path)
    assert type(raised.value).__name__ == name and raised.value.attributes[attribute] > 0
    assert ended.wait(20), "the sorter ends at its next chunk"


def test_a_standstill_of_reads_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watch_with(tmp_path, io_stall_watchdog=True, io_stall_s=0.0)
    assert watch.look(tmp_path) is None  # the first look only counts
    monkeypatch.setattr("psutil.Process.io_counters", lambda self: (_ for _ in ()).throw(AttributeError()))
    watch.look(tmp_path)
    time.sleep(0.01)
    found = watch.look(tmp_path)
    assert type(found).__name__ == "IOStallError" and found is not None and found.attributes["stall_s"] > 0


@pytest.mark.parametrize(
    ("state", "name"), [((96.0, 40.0), "GpuMemoryWatchdogError"), ((10.0, 93.0), "GpuThermalWatchdogError")]
)
def test_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: tuple[float, float], name: str) -> None:
    monkeypatch.setattr(guards, "gpu_states", lambda: [(5.0, 30.0), state])
    found = watch_with(tmp_path, gpu_watchdog=True).look(tmp_path)
    assert type(found).__name__ == name and found is not None and found.attributes["device_index"] == 1


def test_a_call_returns_or_raises_what_it_does(tmp_path: Path) -> None:
    assert guarded(lambda: 7, watch_with(tmp_path), tmp_path) == 7
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 / 0, watch_with(tmp_path), tmp_path)
