"""A recording at another rate: a source whose samples are computed from those of a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..plan import Array, Plan
from ..tasks import DaskSource
from .join import plans_token, samples_of


@dataclass(frozen=True)
class ResampledSource:
    """The traces of a plan at ``up / down`` times their rate.

    Parameters
    ----------
    plan
        Plan of the traces; a task reads them through its stages. Beyond their ends the edge sample is repeated.
    func
        Module-level function ``func(traces, *, first, start, n, up, down)``.
    up, down
        Integers without a common divisor.
    reach
        Number of the plan's samples needed on either side of a new sample.
    dtype
        dtype that ``func`` returns.
    """

    plan: Plan
    func: Callable[..., Any]
    up: int
    down: int
    reach: int
    dtype: np.dtype[Any]

    @property
    def n_samples(self) -> int:
        return -(-self.plan.n_samples * self.up // self.down)

    @property
    def n_channels(self) -> int:
        return self.plan.n_channels

    @cached_property
    def token(self) -> str:
        func = f"{self.func.__module__}.{self.func.__qualname__}"
        return f"resampled:{plans_token([self.plan])}:{func}:{self.up}:{self.down}:{self.reach}"

    def read(self, start: int, stop: int) -> Array:
        first = start * self.down // self.up - self.reach
        last = (stop - 1) * self.down // self.up + self.reach + 2
        low, high = max(first, 0), min(last, self.plan.n_samples)
        block = samples_of(self.plan, low, high, read=_read_here)
        padded = np.pad(block, ((low - first, last - high), (0, 0)), mode="edge")
        made: Array = self.func(padded, first=first, start=start, n=stop - start, up=self.up, down=self.down)
        return made


def _read_here(plan: Plan, start: int, stop: int) -> Array:
    """Samples of a plan's source; those of an opaque array are computed within this task."""
    source = plan.source
    if isinstance(source, DaskSource):
        block: Array = source.array[start:stop].compute(scheduler="synchronous")
        return block
    return source.read(start, stop)
