"""Progress of a sort: which part, how many chunks of how many. The caller decides what to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Progress:
    """Forwards ``(stage, done, total)`` to a callback, if there is one."""

    report: Report | None = None

    def of(self, stage: str) -> Callable[[int, int], None]:
        def forward(done: int, total: int) -> None:
            if self.report is not None:
                self.report(stage, done, total)

        return forward
