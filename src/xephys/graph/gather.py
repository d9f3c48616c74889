"""Gather the results of one pass over a recording: rows of each tile, and sums over all tiles.

The last stage of the plan emits a dict of arrays per tile. Those named in ``summed`` are added along the fixed tree of
:mod:`xephys.graph.reduce`; the rows of the others are joined in the order of the tiles. Neither depends on chunks,
workers or the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from .build import plan_label
from .events import compute
from .local import map_in_threads
from .plan import Array, Plan
from .reduce import Nodes, Partial, fold, grow
from .run import Program, each_partial
from .tasks import over_chunks

#: Rows by name, for each tile by its number.
Rows: TypeAlias = dict[int, Partial]

#: Results of chunks that are merged at once; two where the sums are large, since all of them are then in memory.
_FAN_IN, _LARGE_FAN_IN = 8, 2
#: Size of the sums of a tile from which they count as large.
LARGE_SUM_BYTES = 32 << 20
#: Size of the arrays that one thread joins, at least.
_BYTES_PER_SPAN = 8 << 20


def gather(plans: Sequence[Plan], *, summed: tuple[str, ...] = (), sum_bytes: int = 0) -> Partial:
    """Read parts of one recording and return rows and sums.

    Parameters
    ----------
    plans
        Parts of one plan that ends in a stage of partials, each a run of whole tiles. Tiles outside all parts are not
        read and count as empty.
    summed
        Names of the arrays to add up; the rows of all others are joined.
    sum_bytes
        Size of the sums of a tile, if known. It decides how many of them are merged at once, and changes no result.

    Returns
    -------
    Arrays by name; a name that no tile has is missing.
    """
    merged = _merge(list(compute(*[lazy_gather(plan, summed=summed, sum_bytes=sum_bytes) for plan in plans])))
    return joined(merged)


def lazy_gather(plan: Plan, *, summed: tuple[str, ...] = (), sum_bytes: int = 0) -> Delayed:
    """Rows and sums of a plan as one Delayed: a task per chunk, then merges of eight, or of two if sums are large."""
    if plan.emits != "partials":
        raise ValueError(
            f"{plan_label(plan)} emits {plan.emits}, not arrays of a tile; add a stage that emits partials"
        )
    name = f"gather-{plan_label(plan)}-{plan.token}"
    leaves = over_chunks(
        plan, run_gather, name=name, dtype=object, chunks=((1,) * len(plan.chunks),), options={"summed": summed}
    )
    level: list[Any] = [(name, i) for i in range(len(plan.chunks))]
    merges: dict[Any, Any] = {}
    depth, fan_in = 0, _LARGE_FAN_IN if sum_bytes >= LARGE_SUM_BYTES else _FAN_IN
    while len(level) > 1 or depth == 0:
        depth += 1
        parents = []
        for i in range(0, len(level), fan_in):
            key = (f"merge-{name}", depth, i)
            merges[key] = Task(key, _merge, List(*(TaskRef(child) for child in level[i : i + fan_in])))
            parents.append(key)
        level = parents
    top = level[0]
    return Delayed(
        top, HighLevelGraph.from_collections(f"merge-{name}", merges, dependencies=[leaves]), layer=f"merge-{name}"
    )


def run_gather(
    program: Program,
    arrays: Mapping[str, Array],
    read: Callable[[int, int], Array],
    start: int,
    stop: int,
    *,
    summed: tuple[str, ...],
) -> tuple[Nodes, Rows]:
    """Task of one chunk: the sums of its tiles, joined as far as the tree allows, and the rows of its tiles."""
    nodes: Nodes = {}
    rows: Rows = {}
    for k, partial in each_partial(program, arrays, read, start, stop):
        rows[k] = {name: value for name, value in partial.items() if name not in summed}
        leaf = {name: value for name, value in partial.items() if name in summed}
        nodes = grow({**nodes, (0, k): leaf}, in_place=True)
        del partial, leaf  # otherwise they would stay in memory beside the next tile
    return nodes, rows


def _merge(parts: list[tuple[Nodes, Rows]]) -> tuple[Nodes, Rows]:
    nodes: Nodes = {}
    rows: Rows = {}
    for some_nodes, some_rows in parts:
        nodes.update(some_nodes)
        rows.update(some_rows)
    return grow(nodes), rows


def joined(merged: tuple[Nodes, Rows]) -> Partial:
    """Sums, and the rows of all tiles in order; the parts of a name are freed as soon as they are joined."""
    nodes, rows = merged
    tiles = sorted(rows)
    # Empty leaves for tiles that were not read keep the shape of the tree, as if those tiles had held nothing.
    gaps = sorted(set(range(tiles[0], tiles[-1] + 1)) - set(tiles)) if tiles else []
    total = fold(grow({**nodes, **{(0, k): {} for k in gaps}}))
    for name in list(dict.fromkeys(name for k in tiles for name in rows[k])):
        total[name] = _filled([rows[k] for k in tiles if name in rows[k]], name)
    return total


def _filled(parts: list[Partial], name: str) -> Array:
    """The rows of all parts, each part freed once copied, so that the largest arrays hardly ever exist twice.

    Large arrays are copied by several threads: most of the time goes into fresh memory, which each of them maps.
    """
    if len(parts) == 1:
        return parts[0].pop(name)
    stops = np.cumsum([len(part[name]) for part in parts])
    out = np.empty((int(stops[-1]), *parts[0][name].shape[1:]), parts[0][name].dtype)

    def copy(of_parts: slice) -> None:
        for part, stop in zip(parts[of_parts], stops[of_parts].tolist(), strict=True):
            values = part.pop(name)
            out[stop - len(values) : stop] = values

    n_spans = min(len(parts), 1 + out.nbytes // _BYTES_PER_SPAN)
    edges = np.linspace(0, len(parts), n_spans + 1).round().astype(int).tolist()
    map_in_threads(copy, [slice(first, stop) for first, stop in pairwise(edges)])
    return out


def tile_runs(plan: Plan, tiles: Array) -> list[Plan]:
    """The plan narrowed to some of its tiles, given by ascending number: one part per run of adjoining tiles.

    Chunk borders stay where they are.
    """
    wanted = np.asarray(tiles, np.int64)
    if not len(wanted):
        return []
    breaks = np.flatnonzero(np.diff(wanted) > 1) + 1
    parts = []
    for run in np.split(wanted, breaks):
        start = max(plan.start, int(run[0]) * plan.tile_samples)
        stop = min(plan.stop, (int(run[-1]) + 1) * plan.tile_samples)
        inner = plan.starts[(plan.starts > start) & (plan.starts < stop)]
        edges = np.concatenate([[start], inner, [stop]])
        parts.append(plan.narrowed(start, tuple(np.diff(edges).tolist())))
    return parts
