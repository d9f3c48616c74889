"""Marks in temporary file names that tell who is writing, so that later processes can recognize abandoned files."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from uuid import uuid4

_MARK = re.compile(r"(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}")


def writer_mark() -> str:
    """A unique mark of this process: machine, process number and a random part.

    Examples
    --------
    >>> is_abandoned(writer_mark())
    False
    """
    return f"{machine_token()}-{os.getpid()}-{uuid4().hex[:8]}"


def is_abandoned(mark: str) -> bool:
    """Whether a mark belongs to a process of this machine that has ended.

    Live processes may be working in the same folder, and so may processes of other machines, about which nothing is
    known here; their files do not count as abandoned.
    """
    import psutil

    found = _MARK.fullmatch(mark)
    return found is not None and found["machine"] == machine_token() and not psutil.pid_exists(int(found["process"]))


def machine_token() -> str:
    """Identity of this machine among those that write to the same folder."""
    return hashlib.sha1(socket.gethostname().encode(), usedforsecurity=False).hexdigest()[:8]
