"""One process at a time sorts into a folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ...errors import OutputError
from ..classified import ConcurrentSortError

LOCK_NAME = ".sorting.lock"


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; that of a process of this machine which has ended is taken over.

    Raises
    ------
    ConcurrentSortError
        If another process holds it.
    OutputError
        If the folder cannot be written to.
    """
    path = folder / LOCK_NAME
    mine = {
        "pid": os.getpid(), "hostname": socket.gethostname(), "started_at": datetime.now(UTC).isoformat("T", "seconds"),
    }  # fmt: skip
    for attempt in range(2):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                json.dump(mine, file)
            break
        except FileExistsError:
            holder = _holder(path)
            if attempt or not _has_ended(holder):
                raise ConcurrentSortError(
                    f"{folder} is being sorted into by process {holder.get('pid')} on {holder.get('hostname')} since "
                    f"{holder.get('started_at')}; wait for it, or remove {path} if it is gone",
                    lock_path=str(path),
                    holder_pid=holder.get("pid"),  # type: ignore[arg-type]
                    holder_hostname=holder.get("hostname"),  # type: ignore[arg-type]
                    started_at=holder.get("started_at"),  # type: ignore[arg-type]
                ) from None
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{folder} cannot be written to ({error.strerror}); choose another folder") from error
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _holder(path: Path) -> dict[str, object]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _has_ended(holder: dict[str, object]) -> bool:
    import psutil

    pid = holder.get("pid")
    return holder.get("hostname") == socket.gethostname() and isinstance(pid, int) and not psutil.pid_exists(pid)
