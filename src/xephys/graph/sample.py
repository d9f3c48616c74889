"""Samples of a recording drawn by absolute position, so that what is estimated from them does not depend on chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from dask.delayed import delayed

from .build import to_dask
from .events import compute
from .plan import Array, Plan


def sample_slices(plan: Plan, *, n_slices: int, duration_s: float, seed: int) -> list[Array]:
    """Compute ``n_slices`` stretches of the plan's traces, in time order.

    The plan's range is divided into ``n_slices`` equal strata, and one stretch is drawn from each, so that a change in
    the middle of a recording is seen by its share of them. A short recording gives fewer, never overlapping ones.

    Returns
    -------
    Arrays ``(sample, channel)`` of the plan's dtype.
    """
    length = min(plan.n_samples, max(1, round(duration_s * plan.sampling_frequency)))
    n_slices = max(1, min(n_slices, plan.n_samples // length))
    rng = np.random.default_rng(seed)
    edges = np.linspace(plan.start, plan.stop, n_slices + 1).astype(np.int64)
    room = np.maximum(edges[1:] - edges[:-1] - length, 0)
    starts = edges[:-1] + np.floor(rng.random(n_slices) * (room + 1)).astype(np.int64)
    pieces = [to_dask(plan.narrowed(int(start), (length,))) for start in starts]
    return list(compute(*[delayed(piece.to_delayed()[0, 0]) for piece in pieces]))


def tile_plans(plan: Plan, *, n_tiles: int, seed: int) -> list[Plan]:
    """Plans of ``n_tiles`` whole tiles drawn without repetition, one from each of as many strata, in time order."""
    first, last = -(-plan.start // plan.tile_samples), plan.stop // plan.tile_samples
    if last <= first:  # no whole tile in the range: all of it is the sample
        return [replace(plan, chunks=(plan.n_samples,))]
    n_tiles = min(n_tiles, last - first)
    rng = np.random.default_rng(seed)
    edges = np.linspace(first, last, n_tiles + 1)
    low, high = np.ceil(edges[:-1]).astype(np.int64), np.ceil(edges[1:]).astype(np.int64)
    picks = low + np.floor(rng.random(n_tiles) * (high - low)).astype(np.int64)
    return [plan.narrowed(int(k) * plan.tile_samples, (plan.tile_samples,)) for k in picks]
