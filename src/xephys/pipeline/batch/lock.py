"""One process at a time sorts into a folder, and one recording has its results there."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...errors import OutputError
from ...io.store.atomic import whole_or_absent
from ..classified import ConcurrentSortError
from .results import STAGES_NAME

LOCK_NAME, OWNER_NAME = ".sorting.lock", ".recording.json"
#: A process that began this much later than a lock is not the one that made it; clocks count in steps.
SLACK = timedelta(seconds=2)


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
            _create_whole(path, json.dumps(mine))
            break
        except FileExistsError as error:
            if not folder.is_dir():
                raise OutputError(f"{folder} is a file, and a folder is needed; choose another name") from error
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


class OtherResultsError(OutputError):
    """A folder holds the results of another recording."""


def claim(folder: Path, owner: Mapping[str, object], *, replace: bool) -> None:
    """Keep results from being replaced by those of another recording: note whose they are, or refuse.

    Parameters
    ----------
    folder
        Folder of results, whose lock is held.
    owner
        Plain values: ``name``, and ``source`` (path from the folder; the file may have been edited) or, of a recording
        at hand, ``content``.
    replace
        Whether the results of another recording are to be replaced.

    Raises
    ------
    OtherResultsError
        If the folder holds the results of another recording.
    """
    found = _holder(folder / OWNER_NAME)
    if not (folder / STAGES_NAME).exists():
        found = {}  # only a failure was reported here
    same = not found or all(found.get(key) == owner.get(key) for key in ("source", "content"))
    if not (same or replace):
        of = (
            f"the recording at {os.path.normpath(folder / str(found['source']))}"
            if "source" in found
            else "another one"
        )
        raise OtherResultsError(
            f"{folder} holds the results of {of}; give results_folders of its own to {owner.get('name')}, or "
            "recompute_recording=True to replace them"
        )
    if dict(owner) != found:
        with whole_or_absent(folder / OWNER_NAME, overwrite=True) as hidden:
            hidden.write_text(json.dumps(dict(owner)), encoding="utf-8")


def _create_whole(path: Path, text: str) -> None:
    """Create a file that is never seen without its text: a process killed in between, or a full disk, leaves no lock.

    Raises
    ------
    FileExistsError
        If it exists.
    """
    hidden = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        hidden.write_text(text, encoding="utf-8")
        try:
            os.link(hidden, path)
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links, such as exFAT
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    finally:
        with suppress(OSError):
            hidden.unlink(missing_ok=True)


def _holder(path: Path) -> dict[str, object]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _has_ended(holder: dict[str, object]) -> bool:
    """Whether the process that made a lock is gone: killed and not yet reaped, or its number now another one's."""
    import psutil

    pid = holder.get("pid")
    if holder.get("hostname") != socket.gethostname() or not isinstance(pid, int):
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        began = datetime.fromtimestamp(process.create_time(), UTC)
        return began > datetime.fromisoformat(str(holder.get("started_at"))) + SLACK
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError, TypeError):  # another user's process, or a lock without a time
        return False
