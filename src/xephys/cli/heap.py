"""One heap for all threads of a process: the memory of tiles, tens of megabytes, is reused instead of returned."""

from __future__ import annotations

import ctypes
import os
import sys

#: Settings of glibc's ``mallopt`` by their numbers: one arena (-8); nothing is mapped on its own (-4), however large (a
#: tile of 384 channels has 46 MB); the arena grows by 256 MB more than it must (-2), which take no memory before they
#: are written to and serve larger arrays too, and keeps up to 1 GB of free memory at its end (-1).
_SETTINGS = {-8: 1, -4: 0, -2: 256 << 20, -1: 1 << 30}


def share_one_heap() -> bool:
    """Let all threads of this process allocate from one heap, for processes that are ours: the command line's.

    By default glibc gives each thread a heap that cannot hold a tile, so that every intermediate array is mapped
    afresh, and the kernel zeroes its pages: a fifth of the time of a sort, and more on many cores, where threads that
    map wait for each other. One heap costs nothing here, for there are few allocations and they are large. To be called
    before the threads begin; a program that uses the library gets the same from the environment, ``MALLOC_ARENA_MAX=1``
    and ``MALLOC_MMAP_MAX_=0``.

    Returns
    -------
    Whether it was done: not where the C library is another one, or the user has set ``MALLOC_ARENA_MAX``.

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
    except (OSError, AttributeError):  # no C library to ask, or one without mallopt (musl)
        return False
