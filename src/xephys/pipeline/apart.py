"""Make a call in a process of its own, which can be ended at any time together with everything that it has started.

A delegated sorter is a program that this project does not know: it may hang, or take all memory, and a thread that runs
it cannot be stopped. What goes in and comes back passes through pipes between the two processes, never through a file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ResourceError, SorterError

T = TypeVar("T")
#: Seconds that a process has to end itself before it is killed.
GRACE_S = 5.0


def call_apart(call: Callable[[], T], *, started: Callable[[Callable[[], None]], None] = lambda end: None) -> T:
    """Make a call in a new process, in a session of its own, and wait for its result.

    Parameters
    ----------
    call
        A function without arguments; what it returns or raises comes back.
    started
        Told a function that ends the process and its children, from any thread: they are asked to terminate, and
        killed after ``GRACE_S``. It is also killed if this process ends.

    Raises
    ------
    ResourceError
        If the process was killed from outside, as systems do that run out of memory.
    SorterError
        If it ended without a result in another way.

    Examples
    --------
    >>> call_apart(lambda: 6 * 7)
    42
    """
    import cloudpickle

    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as results:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        os.close(writing)
        assert process.stdin is not None
        with process.stdin:
            started(lambda: _end(process))
            try:
                cloudpickle.dump(call, process.stdin)
                process.stdin.flush()
                returned = results.read()
            except BrokenPipeError:
                returned = b""
            # The other side takes the end of its input for the end of this process, so it stays open until here.
            if not returned:
                status = process.wait()
    process.wait()
    if not returned:
        if status == -signal.SIGKILL:
            raise ResourceError(
                "the process of the sorter was killed from outside, probably for lack of memory", resource="memory"
            )
        raise SorterError(f"the process of the sorter ended without a result, with exit status {status}")
    error, value = cloudpickle.loads(returned)
    if error is not None:
        raise error
    result: T = value
    return result


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the session of a process to terminate, and kill it if it does not."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            return
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            continue


def _end_with(stream: Any) -> None:
    """Kill this session when the other side of the stream is gone."""
    stream.read()
    os.killpg(0, signal.SIGKILL)


def main(descriptor: int) -> None:
    """The other side: read the call, make it, and write what came of it."""
    import cloudpickle

    call = cloudpickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        outcome = cloudpickle.dumps((None, call()))
    except BaseException as error:  # noqa: BLE001 - raised again on the side that waits
        outcome = _packed(error)
    with os.fdopen(descriptor, "wb") as results:
        results.write(outcome)
    # Threads and children of a sorter may still be there; nothing of theirs is wanted any more.
    os._exit(0)


def _packed(error: BaseException) -> bytes:
    """An error as bytes with its cause as text; as one of ours, if its class does not survive the way."""
    import cloudpickle

    try:
        packed: bytes = cloudpickle.dumps((error, None))
        cloudpickle.loads(packed)
    except Exception:  # noqa: BLE001 - any class may fail to be pickled in any way
        packed = cloudpickle.dumps((SorterError(f"{type(error).__name__}: {error}"), None))
    return packed


if __name__ == "__main__":
    main(int(sys.argv[1]))
