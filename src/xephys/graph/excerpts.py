"""Draw excerpts of a recording by absolute position, so that estimates from them do not depend on chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .build import to_dask
from .events import compute
from .local import map_in_threads
from .plan import Array, Plan
from .run import Program, run_traces, visible_arrays
from .scheduler import computes_here
from .tasks import DaskSource


def draw_excerpts(plan: Plan, *, n_slices: int, duration_s: float, seed: int) -> list[Array]:
    """Compute up to ``n_slices`` excerpts of the plan's traces, each inside one tile, in time order.

    The range is divided into equal strata and one tile is drawn from each. A change within the recording is therefore
    represented in proportion to its duration, and at most one tile is computed per excerpt.

    Returns
    -------
    Arrays ``(sample, channel)`` of the plan's dtype, at most a tile long.
    """
    rng = np.random.default_rng(seed)
    pieces: list[Plan] = []
    for tile in tile_plans(plan, n_tiles=n_slices, seed=seed):
        length = min(tile.n_samples, max(1, round(duration_s * plan.sampling_frequency)))
        first = tile.start + int(rng.integers(tile.n_samples - length + 1))
        pieces.append(tile.narrowed(first, (length,)))
    if computes_here() and not isinstance(plan.source, DaskSource):
        return map_in_threads(_traces_of, pieces)  # a graph of a few tasks would take as long as short excerpts
    return list(compute(*map(to_dask, pieces)))


def _traces_of(plan: Plan) -> Array:
    return run_traces(Program.of(plan), visible_arrays(plan), plan.source.read, plan.start, plan.stop)


def draw_overlapping_excerpts(plan: Plan, *, n_slices: int, duration_s: float, seed: int) -> list[Array]:
    """Compute exactly ``n_slices`` excerpts, several per tile if there are fewer tiles; they may overlap.

    Used for votes, which need the requested number of excerpts. Each tile is computed once.
    """
    tiles = tile_plans(plan, n_tiles=n_slices, seed=seed)
    rng = np.random.default_rng(seed)
    slices: list[Array] = []
    for tile, n_own in zip(tiles, np.bincount(np.arange(n_slices) % len(tiles), minlength=len(tiles)), strict=True):
        (traces,) = compute(to_dask(tile))
        length = min(tile.n_samples, max(1, round(duration_s * plan.sampling_frequency)))
        firsts = np.sort(rng.integers(tile.n_samples - length + 1, size=n_own))
        slices += [traces[first : first + length] for first in firsts]
    return slices


def tile_plans(plan: Plan, *, n_tiles: int, seed: int) -> list[Plan]:
    """Plans of ``n_tiles`` whole tiles drawn without repetition, one from each of ``n_tiles`` strata, in time order."""
    first, last = -(-plan.start // plan.tile_samples), plan.stop // plan.tile_samples
    if last <= first:  # no whole tile in the range, so the excerpt is the whole range
        return [replace(plan, chunks=(plan.n_samples,))]
    n_tiles = min(n_tiles, last - first)
    rng = np.random.default_rng(seed)
    edges = np.linspace(first, last, n_tiles + 1)
    low, high = np.ceil(edges[:-1]).astype(np.int64), np.ceil(edges[1:]).astype(np.int64)
    picks = low + np.floor(rng.random(n_tiles) * (high - low)).astype(np.int64)
    return [plan.narrowed(int(k) * plan.tile_samples, (plan.tile_samples,)) for k in picks]
