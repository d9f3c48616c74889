"""Available space: how much is free on a disk and in memory, and which folders are in memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: File systems whose files are in memory.
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
#: Where Linux lists the mounts, the free memory, and the limits of this group of processes.
MOUNTS, MEMINFO, GROUP = Path("/proc/self/mounts"), Path("/proc/meminfo"), Path("/sys/fs/cgroup")
#: Assumed to be free if the system does not say.
UNKNOWN_BYTES = 2 << 30


def disk_free_bytes(folder: str | Path) -> int:
    """Free space of the file system that holds ``folder`` or its nearest existing parent."""
    status = os.statvfs(_existing(folder))
    return status.f_bavail * status.f_frsize


def lies_in_memory(folder: str | Path) -> bool:
    """Whether files in ``folder`` are in memory, as on a ``tmpfs``; False if the system does not say."""
    with suppress(OSError):
        place, kinds = _existing(folder).resolve(), {}
        for line in MOUNTS.read_text(encoding="utf-8").splitlines():
            _, point, kind, *_ = line.split(" ")
            kinds[Path(point.replace("\\040", " "))] = kind  # a later mount hides an earlier one
        return next(
            (kinds[parent] in MEMORY_FILE_SYSTEMS for parent in (place, *place.parents) if parent in kinds), False
        )
    return False


def memory_free_bytes() -> int:
    """Memory available without swapping: the machine's, or that of this group of processes if it has a limit."""
    free = UNKNOWN_BYTES
    with suppress(OSError, ValueError, StopIteration):
        lines = MEMINFO.read_text(encoding="utf-8").splitlines()
        free = int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) << 10
    with suppress(OSError, ValueError):  # "max" where there is no limit
        limit = int((GROUP / "memory.max").read_text(encoding="utf-8"))
        free = min(free, max(0, limit - int((GROUP / "memory.current").read_text(encoding="utf-8"))))
    return free


def _existing(folder: str | Path) -> Path:
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    return place
