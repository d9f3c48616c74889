"""Sums over a recording that are independent of chunks: added along a fixed binary tree over tiles.

Floating-point addition is not associative, so the data must fix the order, not the schedule. Each tile is a leaf, and
each node is the sum of its two children and nothing else. A chunk adds up the complete subtrees that it holds and
passes on the rest, so any chunking and any order of arrival gives bit-identical sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from .build import plan_label
from .events import compute
from .plan import Array, Plan
from .run import Program, each_partial
from .tasks import over_chunks, part_key

Partial: TypeAlias = dict[str, Array]
#: (level, position): a node holds tiles ``[position * 2**level, (position + 1) * 2**level)``.
Nodes: TypeAlias = dict[tuple[int, int], Partial]

_FAN_IN = 8


def tree_sum(plan: Plan) -> Partial:
    """Compute the sum over all tiles of what the plan's last stage emits.

    Returns the dict of arrays; empty if the recording has no tile.
    """
    (total,) = compute(lazy_tree(plan))
    result: Partial = total
    return result


def lazy_tree(plan: Plan) -> Delayed:
    """The tree reduction as one Delayed: a task per chunk, then merges of eight."""
    if plan.emits != "partials":
        raise ValueError(f"{plan_label(plan)} emits {plan.emits}, not partial sums; add a stage that emits partials")
    name = f"{plan_label(plan)}-{plan.token}"
    leaves = over_chunks(plan, run_leaves, name=name, dtype=object, chunks=((1,) * len(plan.chunks),))
    level: list[Any] = [(name, i) for i in range(len(plan.chunks))]
    merges: dict[Any, Any] = {}
    depth = 0
    while depth == 0 or len(level) > 1:
        depth += 1
        parents = []
        for i in range(0, len(level), _FAN_IN):
            key = (part_key(name, "merge"), depth, i)
            merges[key] = Task(key, _merge, List(*(TaskRef(child) for child in level[i : i + _FAN_IN])))
            parents.append(key)
        level = parents
    top = part_key(name, "sum")
    merges[top] = Task(top, fold, TaskRef(level[0]))
    return Delayed(top, HighLevelGraph.from_collections(top, merges, dependencies=[leaves]), layer=top)


def run_leaves(
    program: Program, arrays: Mapping[str, Array], read: Callable[[int, int], Array], start: int, stop: int
) -> Nodes:
    """Task of one chunk: the partial sums of its tiles, joined as far as the tree allows."""
    nodes: Nodes = {}
    for k, partial in each_partial(program, arrays, read, start, stop):
        nodes = grow({**nodes, (0, k): partial}, in_place=True)  # at once, so that few sums are in memory
    return nodes


def _merge(parts: list[Nodes]) -> Nodes:
    merged: Nodes = {}
    for nodes in parts:
        merged.update(nodes)
    return grow(merged)


def grow(nodes: Nodes, *, in_place: bool = False) -> Nodes:
    """Join every pair of siblings into their parent, in the arrays of the left one if nobody else has them."""
    nodes = dict(nodes)
    pending = sorted(nodes)
    while pending:
        level, position = pending.pop(0)
        sibling = (level, position ^ 1)
        if (level, position) not in nodes or sibling not in nodes:
            continue
        left, right = sorted([(level, position), sibling])
        parent = (level + 1, position // 2)
        nodes[parent] = add(nodes.pop(left), nodes.pop(right), in_place=in_place)
        pending.append(parent)
    return nodes


def fold(nodes: Nodes) -> Partial:
    """Add up what is left at the ragged end of the recording, in the order of the tiles."""
    total: Partial = {}
    for _, partial in sorted(nodes.items(), key=lambda item: item[0][1] << item[0][0]):
        total = add(total, partial) if total else partial
    return total


def add(left: Partial, right: Partial, *, in_place: bool = False) -> Partial:
    """The sum by name; a name that only one of the two has counts as 0 in the other."""
    both = {}
    for name, value in left.items():
        if name not in right:
            both[name] = value
        elif in_place and isinstance(value, np.ndarray) and value.flags.writeable:
            both[name] = np.add(value, right[name], out=value)
        else:
            both[name] = value + right[name]
    return both | {name: value for name, value in right.items() if name not in left}
