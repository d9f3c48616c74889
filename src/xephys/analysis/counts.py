"""Read counts instead of microvolts: kernels that use a few samples of a tile scale these alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..graph.plan import Plan, Stage


def counts_of(plan: Plan) -> tuple[Plan, NDArray[np.float32], NDArray[np.float32]]:
    """A plan without the scaling that is its last step, and the gain and offset of each channel.

    A sample times its gain plus its offset, in float32, is to the bit what the whole plan gives. Gains are 1 and
    offsets 0 if its last step is another, or scales in float64.
    """
    from ..kernels.preprocess.scale import scale

    shorter = replace(plan, stages=plan.stages[:-1])
    if plan.stages and plan.stages[-1].func is scale and shorter.n_channels == plan.n_channels:
        gains, offsets = (plan.stages[-1].arrays[name] for name in ("gain", "offset"))
        if gains.dtype == offsets.dtype == np.float32:
            return shorter, gains, offsets
    return plan, np.ones(plan.n_channels, np.float32), np.zeros(plan.n_channels, np.float32)


def locating_counts(stage: Stage, gains: NDArray[np.float32], offsets: NDArray[np.float32]) -> Stage | None:
    """A stage that localizes spikes as the given one does, but in counts; None if its method has no such kernel."""
    from ..kernels.localize import center_of_mass

    if stage.func is not center_of_mass.localize_center_of_mass:
        return None
    arrays = {**stage.arrays, "gains": gains, "offsets": offsets}
    return replace(stage, func=center_of_mass.localize_counts, arrays=arrays)
