"""Combine several recordings without copying: a source whose samples are those of other plans.

They follow each other, or lie side by side. Recordings that follow each other can have a bridge of samples between them
that belong to neither. It leads from one to the next without a step and is as noisy as they are, so that a filter does
not ring: each side is continued by its mirror image, and one fades into the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np

from ..build import to_dask
from ..plan import Array, Plan
from ..run import Program, run_traces, visible_arrays
from ..tasks import DaskSource


@dataclass(frozen=True)
class JoinedSource:
    """The samples of several plans, one after the other.

    Parameters
    ----------
    parts
        Plans of traces with the same channels and type. A task reads a part through its stages.
    bridge
        Number of samples between two parts.
    """

    parts: tuple[Plan, ...]
    bridge: int = 0

    @property
    def n_samples(self) -> int:
        return self.starts[-1]

    @property
    def n_channels(self) -> int:
        return self.parts[0].n_channels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parts[0].dtype

    @cached_property
    def starts(self) -> list[int]:
        """First sample of each part, followed by the end of the last part."""
        return joined_starts([part.n_samples for part in self.parts], self.bridge)

    @cached_property
    def token(self) -> str:
        return f"joined:{plans_token(self.parts)}:{self.bridge}"

    def read(self, start: int, stop: int) -> Array:
        blocks = []
        for number, part in enumerate(self.parts):
            begin, end = self.starts[number], self.starts[number] + part.n_samples
            if max(start, begin) < min(stop, end):
                blocks.append(samples_of(part, max(start, begin) - begin, min(stop, end) - begin))
            if number + 1 < len(self.parts) and max(start, end) < min(stop, end + self.bridge):
                whole = self._bridge(part, self.parts[number + 1])
                blocks.append(whole[max(start, end) - end : min(stop, end + self.bridge) - end])
        if not blocks:
            return np.empty((0, self.n_channels), self.dtype)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _bridge(self, before: Plan, after: Plan) -> Array:
        tail = samples_of(before, max(0, before.n_samples - self.bridge), before.n_samples)
        return bridge_between(tail, samples_of(after, 0, min(self.bridge, after.n_samples)), self.bridge)


@dataclass(frozen=True)
class BesideSource:
    """The channels of several plans of the same length, side by side."""

    parts: tuple[Plan, ...]

    @property
    def n_samples(self) -> int:
        return self.parts[0].n_samples

    @property
    def n_channels(self) -> int:
        return sum(part.n_channels for part in self.parts)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(part.dtype for part in self.parts))

    @cached_property
    def token(self) -> str:
        return f"beside:{plans_token(self.parts)}"

    def read(self, start: int, stop: int) -> Array:
        blocks = [samples_of(part, start, stop) for part in self.parts]
        return np.concatenate(blocks, axis=1, dtype=self.dtype)


def arrays_beside(arrays: Sequence[da.Array], plans: Sequence[Plan | None], *, chunk_samples: int) -> Any:
    """The channels of arrays side by side, lazily; one task per chunk if each has a plan over files."""
    known = _plans_over_files(plans)
    if known is not None:
        rate = known[0].sampling_frequency
        return to_dask(Plan.of_source(BesideSource(known), sampling_frequency=rate, chunk_samples=chunk_samples))
    dtype = np.result_type(*(array.dtype for array in arrays))
    whole = da.concatenate([array.astype(dtype).rechunk({0: arrays[0].chunks[0]}) for array in arrays], axis=1)
    return whole.rechunk({1: -1})


def join_arrays(arrays: Sequence[da.Array], plans: Sequence[Plan | None], *, bridge: int, chunk_samples: int) -> Any:
    """The arrays one after the other, lazily.

    One task per chunk if each has a plan over files. Arrays in memory, and results of arithmetic, are concatenated by
    Dask, and the tasks of later steps depend on its blocks.
    """
    known = _plans_over_files(plans)
    if known is not None:
        source = JoinedSource(known, bridge)
        rate = known[0].sampling_frequency
        return to_dask(Plan.of_source(source, sampling_frequency=rate, chunk_samples=chunk_samples))
    pieces = [arrays[0]]
    for before, after in pairwise(arrays):
        if bridge:
            pieces.append(_lazy_bridge(before[-bridge:], after[:bridge], bridge))
        pieces.append(after)
    return da.concatenate(pieces, axis=0)


def joined_starts(lengths: Sequence[int], bridge: int) -> list[int]:
    """First sample of each of several joined parts, followed by the end of the last part.

    Examples
    --------
    >>> joined_starts([100, 50, 20], bridge=10)
    [0, 110, 170, 190]
    """
    starts = np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64) + bridge)])
    starts[-1] -= bridge
    return [int(start) for start in starts]


def bridge_between(tail: Array, head: Array, n_samples: int) -> Array:
    """Samples between two recordings: the mirror image of the first one's end fades into that of the second one's
    start.

    Parameters
    ----------
    tail, head
        Last samples of the first recording and first samples of the second, ``(sample, channel)``; at most
        ``n_samples``.
    n_samples
        Length of the bridge.

    Examples
    --------
    >>> bridge_between(np.array([[0], [4]]), np.array([[8], [0]]), 3)[:, 0].tolist()
    [3, 0, 6]
    """
    rows = np.arange(n_samples)
    going = tail[len(tail) - 1 - np.minimum(rows, len(tail) - 1)].astype(np.float64)
    coming = head[np.minimum(n_samples - 1 - rows, len(head) - 1)].astype(np.float64)
    weight = ((rows + 1) / (n_samples + 1))[:, None]
    mixed = (1 - weight) * going + weight * coming
    filled: Array = (np.rint(mixed) if tail.dtype.kind in "iu" else mixed).astype(tail.dtype)
    return filled


def _plans_over_files(plans: Sequence[Plan | None]) -> tuple[Plan, ...] | None:
    """The plans, if every one of them can be read inside a task."""
    known = tuple(plan for plan in plans if plan is not None and not isinstance(plan.source, DaskSource))
    return known if len(known) == len(plans) else None


def plans_token(parts: Sequence[Plan]) -> str:
    """Token of the samples of several plans, one after the other."""
    known = repr([(part.identity, part.start, part.n_samples) for part in parts])
    return hashlib.sha1(known.encode(), usedforsecurity=False).hexdigest()


def samples_of(plan: Plan, start: int, stop: int, *, read: Callable[[Plan, int, int], Array] | None = None) -> Array:
    """Samples ``[start, stop)`` of a plan, counted from its own first one; ``read`` replaces the source's method."""
    reader = plan.source.read if read is None else partial(read, plan)
    return run_traces(Program.of(plan), visible_arrays(plan), reader, plan.start + start, plan.start + stop)


def _lazy_bridge(tail: da.Array, head: da.Array, n_samples: int) -> da.Array:
    ends = da.concatenate([tail, head], axis=0).rechunk(-1)
    return ends.map_blocks(
        _bridge_of_ends,
        n_tail=int(tail.shape[0]),
        n_samples=n_samples,
        chunks=((n_samples,), ends.chunks[1]),
        dtype=tail.dtype,
        meta=np.empty((0, 0), tail.dtype),
    )


def _bridge_of_ends(ends: Array, *, n_tail: int, n_samples: int) -> Array:
    return bridge_between(ends[:n_tail], ends[n_tail:], n_samples)
