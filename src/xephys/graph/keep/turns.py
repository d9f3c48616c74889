"""Take turns at tiles, so that no two threads of a process compute the same one."""

from __future__ import annotations

from collections.abc import Collection
from threading import Condition
from typing import Any


class Turns:
    """Which tiles are being computed. A copy in another process starts anew.

    Examples
    --------
    >>> turns = Turns()
    >>> turns.take([3, 4]), turns.take([3, 4])
    (3, 4)
    >>> turns.end(3)
    >>> turns.take([3, 4])
    3
    """

    def __init__(self) -> None:
        self._busy: set[int] = set()
        self._changed = Condition()

    def take(self, numbers: Collection[int]) -> int:
        """The first of these tiles at which no thread is; waits if there is none. Followed by :meth:`end`."""
        with self._changed:
            while True:
                free = next((number for number in numbers if number not in self._busy), None)
                if free is not None:
                    self._busy.add(free)
                    return free
                self._changed.wait()

    def end(self, number: int) -> None:
        """Let the next thread have this tile."""
        with self._changed:
            self._busy.remove(number)
            self._changed.notify_all()

    def __reduce__(self) -> tuple[Any, ...]:
        return Turns, ()
