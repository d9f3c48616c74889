"""A plan as a Dask array expression, used when ``array.query-planning`` is on.

Imported only then: the base class is private to Dask, like all its array expressions so far.
"""

from __future__ import annotations

from functools import cached_property
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.array._array_expr._expr import ArrayExpr
from dask.tokenize import tokenize

from .plan import Array
from .tasks import tasks_on_blocks, tasks_on_source


class PlanExpression(ArrayExpr):  # type: ignore[misc]
    """One task per chunk, on a source or on the blocks of another array.

    Operands: the name; the work that the tasks share; chunks, and an empty array of the right kind; the plan, if the
    array holds what the plan emits, or None; the array whose blocks are the source, or None; and the name of that array
    when the tasks were named, since Dask may rename it when it rewrites the array.
    """

    _parameters = ["name", "work", "chunks", "meta", "plan", "blocks", "blocks_name"]  # noqa: RUF012

    @cached_property
    def _name(self) -> str:
        name: str = self.operand("name")
        blocks = self.operand("blocks")
        # Dask identifies expressions by name, so an expression on a rewritten array must have another name.
        if blocks is None or blocks.name == self.operand("blocks_name"):
            return name
        return f"{name}-{tokenize(blocks.name)}"

    @property
    def _meta(self) -> Array:
        meta: Array = self.operand("meta")
        return meta

    def __dask_tokenize__(self) -> str:
        return self._name  # identifies what is computed, so nothing else needs hashing

    def _layer(self) -> dict[Any, Any]:
        blocks = self.operand("blocks")
        if blocks is None:
            return tasks_on_source(self.work, name=self._name, n_dims=self.ndim)
        return tasks_on_blocks(self.work, name=self._name, n_dims=self.ndim, blocks=blocks.name)

    def finalize_compute(self) -> ArrayExpr:
        known = not np.isnan(self.shape[0])
        return super().finalize_compute() if known else JoinedRecords(self)


class LazyArray(da.Array):  # type: ignore[misc]
    """The array of a plan, with features that NumPy and Xarray expect and Dask's expression arrays still lack.

    These are conversion to an array in memory (``DataArray.values``), NumPy functions that Dask implements, and
    indexing with lists of channels.
    """

    def __dask_layers__(self) -> tuple[str]:
        # Without it, graphs that depend on this array name its layer after an address, which the next array may get.
        return (self.name,)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("a lazy array cannot become one in memory without a copy")
        return np.asarray(self.compute(), dtype)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in (np.ndim, np.shape, np.size):
            return getattr(args[0], func.__name__)
        own = getattr(da, func.__name__, None) if func.__module__ == "numpy" else None
        return NotImplemented if own is None or own is func else own(*args, **kwargs)

    def __getitem__(self, index: Any) -> LazyArray:
        if isinstance(index, tuple) and len(index) == 2 and isinstance(index[1], (list, np.ndarray)):
            channels = np.arange(self.shape[1])[index[1]]
            if isinstance(index[0], slice) and channels.ndim == 1 and len(channels) > 0 and self.numblocks[1] == 1:
                return LazyArray(TakenChannels(self[index[0]], channels))
        return LazyArray(super().__getitem__(index).expr)


class TakenChannels(ArrayExpr):  # type: ignore[misc]
    """Some channels, in the given order, of an array that is one chunk along its channels."""

    _parameters = ["array", "channels"]  # noqa: RUF012

    @cached_property
    def _name(self) -> str:
        return f"getitem-{tokenize(self.array.name, self.channels)}"

    @cached_property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        return self.array.chunks[0], (len(self.channels),)

    @property
    def _meta(self) -> Array:
        meta: Array = self.array._meta
        return meta

    def __dask_tokenize__(self) -> str:
        return self._name

    def _layer(self) -> dict[Any, Any]:
        index, below = (slice(None), self.channels), self.array.name
        keys = [(self._name, i, 0) for i in range(self.numblocks[0])]
        return {key: Task(key, getitem, TaskRef((below, *key[1:])), index) for key in keys}


class Records(ArrayExpr):  # type: ignore[misc]
    """A function of each block of an array of records whose lengths are unknown before and after."""

    _parameters = ["array", "func", "options", "chunks", "meta"]  # noqa: RUF012

    @cached_property
    def _name(self) -> str:
        func, options = self.operand("func"), self.operand("options")
        return f"{func.__name__.strip('_')}-{tokenize(self.array.name, func, options)}"

    @property
    def _meta(self) -> Array:
        meta: Array = self.operand("meta")
        return meta

    def __dask_tokenize__(self) -> str:
        return self._name

    def _layer(self) -> dict[Any, Any]:
        func, options, suffix = self.operand("func"), self.operand("options"), (0,) * (self.ndim - 1)
        keys = [(self._name, i, *suffix) for i in range(self.numblocks[0])]
        return {key: Task(key, func, TaskRef((self.array.name, key[1])), **options) for key in keys}

    def finalize_compute(self) -> ArrayExpr:
        return JoinedRecords(self)


class JoinedRecords(ArrayExpr):  # type: ignore[misc]
    """All records in one block. Dask itself would rechunk, which fails for unknown lengths."""

    _parameters = ["array"]  # noqa: RUF012

    @cached_property
    def chunks(self) -> tuple[tuple[float, ...], ...]:
        return tuple((size,) for size in self.array.shape)

    @property
    def _meta(self) -> Array:
        meta: Array = self.array._meta
        return meta

    def finalize_compute(self) -> ArrayExpr:
        return self

    def _layer(self) -> dict[Any, Any]:
        key, suffix = (self._name, *[0] * self.ndim), (0,) * (self.ndim - 1)
        blocks = List(*(TaskRef((self.array.name, i, *suffix)) for i in range(self.array.numblocks[0])))
        return {key: Task(key, np.concatenate, blocks)}
