"""SpikeTable: an unknown number of records, in one Dask chunk per time chunk, until they are computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, overload
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
import xarray as xr

from ..calls import current_call
from .build import plan_of, to_dask
from .local import map_in_threads
from .plan import Array, Plan, Stage, runs_on_devices
from .process.blas import single_threaded_blas
from .scheduler import active_client, computes_here, connect, start_pool
from .tasks import EXPRESSIONS, map_records

#: Threads of this process that work on jobs which are part Python. With 16, clustering took a quarter longer than with
#: 8, because they wait for each other at Python's lock.
THREADS_MAX = 8


@dataclass(frozen=True)
class SpikeTable:
    """Peaks or spikes of a recording, not computed yet.

    A thin wrapper around a 1-D Dask array with a structured dtype. Its number of rows is unknown until it is computed,
    so it has no length and is not an Xarray object; ``compute`` returns one NumPy record array in time order.
    """

    data: da.Array
    sampling_frequency: float

    @classmethod
    def of_plan(cls, plan: Plan) -> SpikeTable:
        return cls(to_dask(plan), plan.sampling_frequency)

    @property
    def plan(self) -> Plan | None:
        return plan_of(self.data)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.dtype.names or ())

    @property
    def n_chunks(self) -> int:
        return int(self.data.numblocks[0])

    @overload
    def __getitem__(self, field: str) -> da.Array: ...
    @overload
    def __getitem__(self, field: da.Array) -> SpikeTable: ...
    def __getitem__(self, field: str | da.Array) -> da.Array | SpikeTable:
        """A column by name, or the rows selected by a lazy mask of the table's own columns."""
        if isinstance(field, da.Array):
            return self._masked(field)
        if not isinstance(field, str):
            raise TypeError(
                f"a lazy table is indexed by the name of a column or by a mask of its own columns, such as "
                f"peaks[peaks['amplitude'] < -50], not by {type(field).__name__}; compute it first: .compute()"
            )
        if field not in self.fields:
            raise KeyError(f"no field {field!r}; this table has {', '.join(self.fields)}")
        return map_records(self.data, _field, field=field, dtype=self.dtype[field])

    def _masked(self, mask: da.Array) -> SpikeTable:
        if mask.dtype != bool or mask.ndim != 1 or mask.numblocks != self.data.numblocks:
            raise TypeError(
                f"the mask is {mask.dtype} with {mask.ndim} dimensions and {mask.numblocks} chunks; make it of this "
                f"table's own columns ({self.n_chunks} chunks), such as peaks['amplitude'] < -50"
            )
        if EXPRESSIONS:
            raise NotImplementedError(
                "Dask's array expressions cannot join two arrays of unknown length block by block yet; give a function "
                "of records instead, table.filter(lambda rows: rows['amplitude'] < -50), or turn them off: "
                "array.query-planning: false"
            )
        rows = da.blockwise(
            _select, "i", self.data, "i", mask, "i", dtype=self.dtype, meta=np.empty(0, self.dtype), align_arrays=False
        )
        return SpikeTable(rows, self.sampling_frequency)

    def between(self, start_s: float, stop_s: float) -> SpikeTable:
        """The rows from ``start_s`` up to but not including ``stop_s``, in seconds from the start of the segment.

        Chunks outside this window are not computed.
        """
        if not start_s < stop_s:
            raise ValueError(f"the window is {start_s:g} to {stop_s:g} s; it must end after it begins")
        start, stop = (math.ceil(round(second * self.sampling_frequency, 6)) for second in (start_s, stop_s))
        data, plan = self.data, self.plan
        if plan is not None:
            borders = plan.first_sample + np.cumsum([0, *plan.chunks])
            first = int(np.searchsorted(borders[1:], start, side="right"))
            last = int(np.searchsorted(borders[:-1], stop, side="left"))
            first = min(first, self.n_chunks - 1)
            chunks = plan.chunks[first : max(last, first + 1)]
            data = to_dask(plan.narrowed(int(plan.starts[first]), chunks))
        rows = map_records(data, _within, start=start, stop=stop, dtype=self.dtype)
        return SpikeTable(rows, self.sampling_frequency)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise TypeError("this table is not computed; call .compute() for its records, or take a column: table['y']")

    def __len__(self) -> int:
        raise TypeError("the number of spikes is unknown until they are computed; use .compute() or .count_per_chunk()")

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name} {shape_and_kind(self.dtype[name])}" for name in self.fields)
        return (
            f"<SpikeTable of {self.n_chunks} chunks at {self.sampling_frequency:.9g} Hz, not computed\n"
            f" columns: {kinds}\n .compute() gives the records, table['{self.fields[0]}'] a lazy column>"
        )

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{shape_and_kind(self.dtype[name])}</td></tr>" for name in self.fields)
        head = f"SpikeTable of {self.n_chunks} chunks at {self.sampling_frequency:.9g} Hz, not computed"
        return f"<table><caption>{head}</caption>{rows}</table>"

    def then(self, stage: Stage) -> SpikeTable:
        """The table with one more feature stage, in the same pass over the traces."""
        plan = self.plan
        if plan is None:
            raise ValueError(
                "this table has been changed by hand and has no plan; compute it and start from its records"
            )
        return SpikeTable.of_plan(plan.then(stage))

    def filter(self, keep: Callable[[Array], Array]) -> SpikeTable:
        """Only the rows for which ``keep(records)`` is true; a module-level function, called per chunk."""
        kept = map_records(self.data, _keep, keep=keep, dtype=self.dtype)
        return SpikeTable(kept, self.sampling_frequency)

    def count_per_chunk(self) -> Array:
        """Number of rows of each chunk; computes the table."""
        ones = ((1,) * self.n_chunks,)
        (counts,) = compute(self.data.map_blocks(_count, dtype=np.int64, chunks=ones, meta=np.empty(0, np.int64)))
        return np.asarray(counts)

    def to_dataset(self) -> xr.Dataset:
        """The computed records as a Dataset with dim ``spike``."""
        return dataset_of(self.compute(), sampling_frequency=self.sampling_frequency)

    def to_dataframe(self) -> Any:
        """The computed records as a DataFrame; a field with several values per row becomes several columns."""
        return dataframe_of(self.compute())

    def compute(self, **kwargs: Any) -> Array:
        """All records, in time order."""
        records: Array
        (records,) = compute(self.data, **kwargs)
        return records


def compute(*collections: Any, **kwargs: Any) -> tuple[Any, ...]:
    """``dask.compute`` without low-level fusion: one task per chunk leaves nothing to fuse.

    BLAS is limited to one thread for all tasks at once: between two that do not overlap, the limit would be lifted.
    """
    start_pool()
    with single_threaded_blas(), dask.config.set({"optimization.fuse.active": False}):
        results: tuple[Any, ...] = dask.compute(*collections, **kwargs)
    return results


def compute_here(*collections: Any) -> tuple[Any, ...]:
    """:func:`compute` in this process, even with a cluster: for arrays made of what is in memory here."""
    with nullcontext() if active_client() is None else connect("threads"):
        return compute(*collections)


def dataset_of(records: Array, *, sampling_frequency: float | None = None) -> xr.Dataset:
    """Records as a Dataset with dim ``spike``."""
    variables = {
        name: (("spike", *(f"{name}_dim_{k}" for k in range(1, records[name].ndim))), records[name])
        for name in records.dtype.names or ()
    }
    known = {} if sampling_frequency is None else {"sampling_frequency": float(sampling_frequency)}
    return xr.Dataset(variables, attrs=known)


def dataframe_of(records: Array) -> Any:
    """Records as a DataFrame; a field with 3 by 2 values per row becomes columns ``NAME_0_0`` to ``NAME_2_1``."""
    import pandas as pd  # type: ignore[import-untyped]

    columns = {}
    for name in records.dtype.names or ():
        values = records[name].reshape(len(records), -1)
        shape = records.dtype[name].shape
        for place, index in enumerate(np.ndindex(*shape)):
            columns["_".join(map(str, (name, *index)))] = values[:, place]
    return pd.DataFrame(columns)


@runs_on_devices
def given_events(traces: Array, *, before: int, after: int, start: int, events: Array) -> Array:
    """First event stage for known records: returns those whose sample lies in the tile."""
    stop = start + len(traces) - before - after
    first, last = np.searchsorted(events["sample_index"], [start, stop])
    return events[first:last]


def given_events_stage(events: Array) -> Stage:
    """A stage that returns ``events``, which must be sorted by ``sample_index``."""
    samples = events["sample_index"]
    if len(samples) > 1 and np.any(np.diff(samples) < 0):
        raise ValueError("the given events are not sorted by sample_index; sort them first")
    return Stage(given_events, dtype=events.dtype, arrays={"events": events}, emits="events")


def shape_and_kind(dtype: np.dtype[Any]) -> str:
    """A column's type in readable form: ``float32``, ``float32 (6 × 16)``.

    Examples
    --------
    >>> shape_and_kind(np.dtype("i8")), shape_and_kind(np.dtype("(6,16)f4"))
    ('int64', 'float32 (6 × 16)')
    """
    shape = " × ".join(map(str, dtype.shape))
    return f"{dtype.base} ({shape})" if shape else str(dtype)


def _field(records: Array, *, field: str) -> Array:
    values: Array = records[field]
    return values


def _select(records: Array, mask: Array) -> Array:
    chosen: Array = records[mask]
    return chosen


def _within(records: Array, *, start: int, stop: int) -> Array:
    samples = records["sample_index"]
    return records[(samples >= start) & (samples < stop)]


def _count(records: Array) -> Array:
    return np.array([len(records)], np.int64)


def _keep(records: Array, *, keep: Callable[[Array], Array]) -> Array:
    return records[keep(records)]


def run_tasks(
    func: Callable[..., Any], jobs: list[tuple[Any, ...]], *, shared: tuple[Array, ...] = (), part_of: str = ""
) -> list[Any]:
    """Call a module-level function once per tuple of arguments, as independent tasks; results in order.

    ``shared`` comes first in every call and is stored once. The tasks are named after the running operation; outside of
    any, after the one they are ``part_of``. Threads of this process call it without tasks, which would take as long as
    the shortest calls, one after another.
    """
    if computes_here():
        return map_in_threads(lambda job: func(*shared, *job), jobs, n_threads_max=THREADS_MAX)
    label = current_call().partition("(")[0] or part_of or func.__name__
    common = [dask.delayed(array, traverse=False, pure=False) for array in shared]
    with single_threaded_blas():
        call = dask.delayed(func, pure=False)
        tasks = [call(*common, *job, dask_key_name=f"{label}-{uuid4().hex}") for job in jobs]
        return list(compute(*tasks))
