"""Folders for what a run computes and nobody reads afterwards.

A process that is killed removes nothing, and white traces alone can be gigabytes. Each folder therefore holds a file
that its process keeps locked; the system releases the lock when the process ends, however it ends, and the next run of
the same user removes the folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX = "xephys-"
#: Suffix of the name of a folder that is removed at the end of the run, by which its files are recognized on workers.
_SUFFIX = ".scratch"
#: Name of the file in the folder that is locked by its process.
_OWNER = "owner"
#: Age in seconds before which a folder is not taken for abandoned: its process may not have locked the file yet.
_AGE_MIN_S = 60.0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder that is removed afterwards, and remove those of processes that were killed.

    After a failure, other tasks may still be writing their chunks, so a single attempt to remove it is not enough.

    Examples
    --------
    >>> with scratch_folder() as folder:
    ...     is_scratch(folder / "chunk.npy")
    True
    >>> folder.exists()
    False
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX))
    owner = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(owner)
        yield folder
    finally:
        os.close(owner)
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)


def is_scratch(path: Path) -> bool:
    """Whether a file will be removed with its folder: after a power failure, nobody looks for it."""
    return any(name.endswith(_SUFFIX) for name in path.parts)


def _remove_abandoned(parent: Path) -> None:
    """Remove this user's scratch folders whose process has ended without doing so."""
    if fcntl is None:
        return
    for folder in parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        try:
            owner = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # removed by its process meanwhile, or another user's
            continue
        try:
            made = os.fstat(owner)
            is_own = made.st_uid == os.getuid() and not folder.is_symlink()
            if is_own and time.time() - made.st_mtime > _AGE_MIN_S and _lock(owner):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(owner)


def _lock(file: int) -> bool:
    """Lock an open file for this process; whether that was possible."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked by another process, or a file system without locks
        return False
    return True
