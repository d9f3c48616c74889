"""Folders for what a run computes and nobody reads afterwards."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Suffix of the name of a folder that is removed at the end of the run, by which its files are recognized on workers.
_SUFFIX = ".scratch"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder that is removed afterwards.

    After a failure, other tasks may still be writing their chunks, so a single attempt to remove it is not enough.

    Examples
    --------
    >>> with scratch_folder() as folder:
    ...     is_scratch(folder / "chunk.npy")
    True
    >>> folder.exists()
    False
    """
    folder = Path(tempfile.mkdtemp(prefix="xephys-", suffix=_SUFFIX))
    try:
        yield folder
    finally:
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)


def is_scratch(path: Path) -> bool:
    """Whether a file will be removed with its folder: after a power failure, nobody looks for it."""
    return any(name.endswith(_SUFFIX) for name in path.parts)
