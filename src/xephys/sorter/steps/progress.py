"""Before and while a pass runs: kernels are compiled once, and the caller hears of finished chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...graph.plan import Plan
from ...graph.scheduler import active_client

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


def warm_up_cluster(plan: Plan | None) -> None:
    """Before a pass on a cluster: compile its kernels here, then load them in every worker, also in later ones."""
    if plan is None or active_client() is None:
        return
    from ...graph.workers import warm_up_active  # it imports distributed, half a second

    warm_up_active(plan)
