"""Find the plan below a chain of slices, in the graph or the expression, and the part that the slices select.

Dask's own tasks replay the slices on stand-ins for the blocks, so that no rule of indexing is reimplemented here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask
import dask.array as da
import numpy as np

from .plan import Array, Plan
from .tasks import EXPRESSIONS, PLAN_ANNOTATION

#: Prefixes of the names of Dask layers that only take a part of an array.
_SLICES = frozenset({"getitem", "slice", "shuffle"})


#: The same with those that move samples, or between chunks.
_MOVES = _SLICES | {"rechunk", "concatenate", "transpose", "reshape", "xarray"}


@dataclass(frozen=True)
class FoundPlan:
    """A plan found below an array: the name of the array that carries it, and the graphs of the slices in between."""

    plan: Plan
    name: str
    slices: tuple[Mapping[Any, Any], ...]


@dataclass(frozen=True)
class Selection:
    """What the slices select: its start on the sample axis, its chunks, and its channels."""

    start: int
    chunks: tuple[int, ...]
    channels: Array


def find_plan(array: da.Array) -> FoundPlan | None:
    """The nearest plan below an array, provided that only slices lie between."""
    return _find_in_expression(array.expr) if EXPRESSIONS else _find_in_layers(array)


def is_computed(array: da.Array) -> bool:
    """Whether an array's last step, by its name, is one of Dask's that computes values and not one of a plan.

    Examples
    --------
    >>> is_computed(da.ones((4, 2)) * 2), is_computed((da.ones((4, 2)) * 2)[:2])
    (True, False)
    """
    if array.name.split("-")[0] in _MOVES or find_plan(array) is not None:
        return False
    return EXPRESSIONS or bool(array.dask.dependencies.get(array.name))


def _find_in_layers(array: da.Array) -> FoundPlan | None:
    layers = getattr(array.dask, "layers", {})
    roots, slices, pending = {}, [], [array.name]
    while pending:
        name = pending.pop()
        layer = layers.get(name)
        plan = (getattr(layer, "collection_annotations", None) or {}).get(PLAN_ANNOTATION)
        if plan is not None:
            roots[name] = plan
        elif layer is None or name.split("-")[0] not in _SLICES:
            return None
        else:
            slices.append(layer)
            pending.extend(array.dask.dependencies[name])
    if len(roots) != 1:
        return None
    ((name, plan),) = roots.items()
    return FoundPlan(plan, name, tuple(slices))


def _find_in_expression(expression: Any) -> FoundPlan | None:
    from .expression import PlanExpression

    slices: list[Mapping[Any, Any]] = []
    while not isinstance(expression, PlanExpression):
        below = expression.dependencies()
        if len(below) != 1:
            return None
        if _changes_nothing(expression, below[0]):
            keys = [(i, 0) for i in range(expression.numblocks[0])]
            slices.append({(expression.name, *key): (below[0].name, *key) for key in keys})
        elif expression.name.split("-")[0] in _SLICES:
            slices.append(expression._layer())
        else:
            return None
        (expression,) = below
    plan = expression.operand("plan")
    return None if plan is None else FoundPlan(plan, expression.name, tuple(slices))


def _changes_nothing(expression: Any, below: Any) -> bool:
    """Whether Dask will drop a step because the array already has the requested chunks."""
    return str(expression.name).startswith("rechunk-") and bool(expression.chunks == below.chunks)


class _Block:
    """Stand-in for a block while slices are replayed. It supports only ``[time, channel]``; anything else fails."""

    def __init__(self, start: int, stop: int, channels: Array) -> None:
        self.start, self.stop, self.channels = start, stop, channels

    def __getitem__(self, index: Any) -> _Block:
        time, channel = index if isinstance(index, tuple) else (index, slice(None))
        if not isinstance(time, slice):
            raise TypeError("only slices in time keep a plan")
        first, last, step = time.indices(self.stop - self.start)
        if step != 1:
            raise TypeError("a stride in time loses the plan")
        channels = self.channels[channel]
        if np.ndim(channels) != 1:
            raise TypeError("a single channel without its dimension loses the plan")
        return _Block(self.start + first, self.start + max(first, last), channels)


def selected(array: da.Array, found: FoundPlan) -> Selection | None:
    """The part of a plan that the slices above it select; None if that is not a range of samples."""
    plan = found.plan
    if plan.emits != "traces" or array.ndim != 2 or len(array.chunks[1]) != 1 or 0 in array.shape:
        return None
    graph: dict[Any, Any] = {}
    for layer in found.slices:
        graph.update(layer)
    everything = np.arange(plan.n_channels)
    for i, (start, stop) in enumerate(pairwise(plan.starts.tolist())):
        graph[(found.name, i, 0)] = _Block(start, stop, everything)
    try:
        # One call for all blocks, because each call walks through the whole graph.
        parts: list[_Block] = list(dask.get(graph, [(array.name, i, 0) for i in range(array.numblocks[0])]))
    except (TypeError, ValueError, IndexError, AttributeError, KeyError):
        return None
    if not all(isinstance(part, _Block) for part in parts):
        return None
    joined = all(a.stop == b.start for a, b in pairwise(parts))
    same = all(np.array_equal(part.channels, parts[0].channels) for part in parts)
    if not joined or not same:
        return None
    return Selection(parts[0].start, tuple(part.stop - part.start for part in parts), parts[0].channels)
