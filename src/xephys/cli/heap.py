"""Use one heap for all threads of a process, so that the large arrays of tiles are reused instead of returned."""

from __future__ import annotations

import ctypes
import os
import sys

#: Settings for glibc's ``mallopt``, by number. -8: a single arena. -4: no separate mappings, however large the block (a
#: tile of 384 channels has 46 MB). -2: the arena grows in steps of 256 MB, which occupy no memory until they are
#: written to. -1: up to 1 GB of free memory is kept at the end of the arena.
_SETTINGS = {-8: 1, -4: 0, -2: 256 << 20, -1: 1 << 30}


def share_one_heap() -> bool:
    """Let all threads of this process allocate from one heap; meant for the command line's own processes.

    By default, glibc gives each thread a heap too small for a tile. Every intermediate array is then mapped afresh and
    its pages are zeroed by the kernel, which takes a fifth of the time of a sort, and more on many cores, where threads
    wait for each other to map memory. A single heap costs nothing here, because allocations are few and large. Call
    this before threads are started. Programs that use the library get the same effect from the environment variables
    ``MALLOC_ARENA_MAX=1`` and ``MALLOC_MMAP_MAX_=0``.

    Returns
    -------
    Whether the settings were made: not if the C library is not glibc, or if the user has set ``MALLOC_ARENA_MAX``.

    Examples
    --------
    >>> share_one_heap() in (True, False)
    True
    """
    if not sys.platform.startswith("linux") or "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        library = ctypes.CDLL(None)
        return all(library.mallopt(setting, value) for setting, value in _SETTINGS.items())
    except (OSError, AttributeError):  # there is no C library, or it has no mallopt (musl)
        return False
