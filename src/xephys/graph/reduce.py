"""Sums over a recording that do not depend on chunks: added along a fixed binary tree over tiles.

Floating-point addition is not associative, so the order must be fixed by the data and not by the schedule. Each tile is
a leaf; a node is the sum of its two children and nothing else. A chunk adds up the complete subtrees it holds and hands
on the rest, so any chunking and any order of arrival gives the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import dask
import numpy as np
from dask.delayed import Delayed

from .build import DaskSource, covering_blocks, run_on_blocks
from .events import compute
from .plan import Array, Plan
from .run import Program, run_partials, visible_arrays

Partial: TypeAlias = dict[str, Array]
#: (level, position): the node holds tiles ``[position * 2**level, (position + 1) * 2**level)``.
Nodes: TypeAlias = dict[tuple[int, int], Partial]

_FAN_IN = 8


def tree_sum(plan: Plan) -> Partial:
    """Compute the sum over all tiles of what the plan's last stage emits.

    Returns the dict of arrays; empty if the recording has no tile.
    """
    (nodes,) = compute(lazy_tree(plan))
    return fold(nodes)


def lazy_tree(plan: Plan) -> Delayed:
    """The tree reduction as one Delayed: a task per chunk, then merges of eight."""
    if plan.emits != "partials":
        raise ValueError(f"the last stage, {plan.stages[-1].name}, emits {plan.emits}, not partial sums")
    program, arrays = Program.of(plan), dask.delayed(visible_arrays(plan), name=f"arrays-{plan.token}", traverse=False)
    name = f"{plan.stages[-1].name}-{plan.token}"
    source = plan.source
    level: list[Delayed] = []
    for i, (start, stop) in enumerate(zip(plan.starts[:-1].tolist(), plan.starts[1:].tolist(), strict=True)):
        key = f"{name}-{i}"
        if isinstance(source, DaskSource):
            blocks, offset = _blocks_of(plan, source, start, stop)
            level.append(
                dask.delayed(_leaves_of_blocks)(program, arrays, blocks, offset, start, stop, dask_key_name=key)
            )
        else:
            level.append(dask.delayed(_leaves)(program, arrays, source, start, stop, dask_key_name=key))
    depth = 0
    while len(level) > 1:
        depth += 1
        level = [
            dask.delayed(_merge)(level[i : i + _FAN_IN], dask_key_name=f"{name}-merge-{depth}-{i}")
            for i in range(0, len(level), _FAN_IN)
        ]
    return level[0]


def _blocks_of(plan: Plan, source: DaskSource, start: int, stop: int) -> tuple[list[Delayed], int]:
    edges = np.concatenate([[0], np.cumsum(source.array.chunks[0])]).astype(np.int64)
    # A tile belongs to the chunk in which it begins, so the last one may reach beyond the chunk.
    first, last = covering_blocks(plan, edges, start, stop)
    return list(source.array.to_delayed()[first:last, 0]), int(edges[first])


def _leaves_of_blocks(
    program: Program, arrays: Mapping[str, Array], blocks: list[Array], offset: int, start: int, stop: int
) -> Nodes:
    return grow({(0, k): p for k, p in run_on_blocks(program, arrays, blocks, offset, start, stop).items()})


def _leaves(program: Program, arrays: Mapping[str, Array], source: Any, start: int, stop: int) -> Nodes:
    return grow({(0, k): p for k, p in run_partials(program, arrays, source.read, start, stop).items()})


def _merge(parts: list[Nodes]) -> Nodes:
    merged: Nodes = {}
    for nodes in parts:
        merged.update(nodes)
    return grow(merged)


def grow(nodes: Nodes) -> Nodes:
    """Join every pair of siblings into their parent."""
    nodes = dict(nodes)
    pending = sorted(nodes)
    while pending:
        level, position = pending.pop(0)
        sibling = (level, position ^ 1)
        if (level, position) not in nodes or sibling not in nodes:
            continue
        left, right = sorted([(level, position), sibling])
        parent = (level + 1, position // 2)
        nodes[parent] = add(nodes.pop(left), nodes.pop(right))
        pending.append(parent)
    return nodes


def fold(nodes: Nodes) -> Partial:
    """What is left at the recording's ragged end, in the order of the tiles."""
    total: Partial = {}
    for _, partial in sorted(nodes.items(), key=lambda item: item[0][1] << item[0][0]):
        total = add(total, partial) if total else partial
    return total


def add(left: Partial, right: Partial) -> Partial:
    return {name: left[name] + right[name] for name in left}
