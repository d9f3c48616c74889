"""Context of a running sort: where results are kept, where progress is reported, and how it ends without units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from ...graph.checkpoint import CheckpointedEvents, run_events, run_partials
from ...graph.events import SpikeTable
from ...graph.keep.folder import is_scratch
from ...graph.plan import Plan
from ...graph.reduce import Partial
from ...graph.results import CallOnce
from ...graph.scheduler import active_client
from ...recording.kept import keep_recording

Report = Callable[[str, int, int], None]

#: White traces are rounded to multiples of this, in units of the noise, and clipped at 512.
WHITE_STEP = 1 / 64


class NoUnits(Exception):
    """No units were found, which is a valid result: the sorting is empty. ``log`` holds what was done so far."""

    def __init__(self, log: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__("no units")
        self.log = list(log)


@dataclass(frozen=True)
class Run:
    """A running sort. What it computes is kept in its folder, so that it is not repeated.

    Attributes
    ----------
    folder
        Folder for records, sums and estimates. If None, estimates are not kept, and passes over the recording cannot
        run.
    report
        Called with ``(stage, done, total)`` after each chunk.
    preset
        Name of the running preset, for the sorting's provenance.
    cache, cache_bytes_max
        Where white traces are kept between passes, and the maximum number of bytes.
    white_step
        White traces are rounded to multiples of this, in units of the noise; None keeps them as they are.
    """

    folder: Path | None = None
    report: Report | None = None
    preset: str = ""
    cache: str = "auto"
    cache_bytes_max: int | None = None
    white_step: float | None = WHITE_STEP

    @property
    def computes(self) -> bool:
        """Whether this run may compute; without a folder it only builds graphs."""
        return self.folder is not None

    @cached_property
    def once(self) -> CallOnce:
        """Call ``run.once(function, argument, name=value)``: computed once, then read from the folder."""
        return CallOnce(None if self.folder is None or is_scratch(self.folder) else self.folder)

    def keep(self, white: xr.DataArray) -> xr.DataArray:
        """White traces that the first pass computes and later passes read again."""
        if not self.computes:
            return white
        return keep_recording(
            white, step=self.white_step, folder=self.folder, place=self.cache, bytes_max=self.cache_bytes_max
        )

    def collect(self, stage: str, events: SpikeTable) -> CheckpointedEvents:
        """The records of one pass over the recording, on disk; ``stage`` names the pass in the progress."""
        self.warm_up(events.plan)
        return run_events(events, self._place(), progress=self._progress_of(stage))

    def total(self, plan: Plan) -> Partial:
        """The sum over all tiles of what a plan's last stage emits: one pass over the recording."""
        return run_partials(plan, self._place())

    def warm_up(self, plan: Plan | None) -> None:
        """Before a pass on a cluster, compile its kernels here, then load them in all workers, including later ones."""
        if plan is None or active_client() is None:
            return
        from ...graph.workers import warm_up_active  # imports distributed, which takes half a second

        warm_up_active(plan)

    def _place(self) -> Path:
        assert self.folder is not None, "a pass over the recording needs a folder"
        return self.folder

    def _progress_of(self, stage: str) -> Callable[[int, int], None]:
        def forward(done: int, total: int) -> None:
            if self.report is not None:
                self.report(stage, done, total)

        return forward
