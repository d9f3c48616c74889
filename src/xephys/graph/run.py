"""Run a plan's stages on one chunk, tile by tile: the work of a task. NumPy only.

Tiles compute, chunks schedule: every stage sees whole tiles of the absolute sample axis, each with its own halo and in
the same shapes wherever the chunk borders lie, so values cannot depend on the borders.

After a stage that moves the traces to a device, all stages get that device's arrays, in whole tiles. Only the output of
the last stage comes back, by the arrays' own method ``get`` (CuPy's name for it).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import RecordingError
from .keep.scratch import Borrow, borrowing, buffers_kept, own_arrays
from .plan import Array, Plan, bundled
from .process.blas import single_threaded_blas
from .process.compiling import announce_compilation

#: Held while a tile is on a device, so that it is the only one of this process there, however many threads there are.
_DEVICE_TURN = threading.Lock()

#: Rows of a sub-block of consecutive pointwise stages: 1024 rows of 384 float32 channels are 1.6 MB, about an L2 cache.
#: Shorter ones are no faster, and between them threads wait for each other's Python.
SUB_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Step:
    """A stage without its arrays, which travel beside it so that Dask can store them once."""

    func: Callable[..., Any]
    before: int
    after: int
    emits: str
    parameters: Mapping[str, Any]
    is_pointwise: bool
    timed: bool = False


@dataclass(frozen=True)
class Program:
    """Everything a task needs, apart from the source and the arrays."""

    steps: tuple[Step, ...]
    n_samples: int
    tile_samples: int
    n_channels: int
    dtype: np.dtype[Any]
    device: str | None = None
    origin: int = 0

    @classmethod
    def of(cls, plan: Plan) -> Program:
        steps = tuple(
            Step(s.func, s.before, s.after, s.emits, dict(s.parameters), s.is_pointwise, s.timed) for s in plan.stages
        )
        return cls(
            steps, plan.source.n_samples, plan.tile_samples, plan.n_channels, plan.dtype, plan.device, plan.origin
        )

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        names = [
            (s.func.__module__, s.func.__qualname__, s.before, s.after, s.timed, sorted(s.parameters.items()))
            for s in self.steps
        ]
        sizes = self.n_samples, self.tile_samples, self.n_channels, self.origin
        return "xephys.Program", repr(names), *sizes, repr(self.dtype)


def visible_arrays(plan: Plan) -> dict[str, Array]:
    """All arrays of all stages under keys ``"<stage number>.<name>"``."""
    return {f"{k}.{name}": array for k, stage in enumerate(plan.stages) for name, array in stage.arrays.items()}


class Reader:
    """Samples of one chunk with its halo, read once, padded with the edge sample only at the ends of the recording."""

    def __init__(
        self, read: Callable[..., Array], n_samples: int, start: int, stop: int, borrow: Borrow = np.empty
    ) -> None:
        self.n_samples = n_samples
        self.offset = max(0, start)
        more = {"empty": borrow} if getattr(getattr(read, "__self__", None), "takes_empty", False) else {}
        block = read(self.offset, min(n_samples, stop), **more)
        if block.dtype.kind == "f" and not np.isfinite(block).all():
            row = int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise RecordingError(
                f"sample {self.offset + row} is NaN or infinite on {(~np.isfinite(block[row])).sum()} channels; "
                "repair the recording (fillna, interpolate) or sort the parts without it"
            )
        # Kernels are compiled for native byte order and contiguous rows; a source may deliver neither.
        self.block: Array = np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("="))

    def __call__(self, start: int, stop: int) -> Array:
        lo, hi = max(0, start), min(self.n_samples, stop)
        inside = self.block[lo - self.offset : hi - self.offset]
        if lo == start and hi == stop:
            return inside
        return np.pad(inside, ((lo - start, stop - hi), (0, 0)), mode="edge")


def run_traces(
    program: Program,
    arrays: Mapping[str, Array],
    read: Callable[[int, int], Array],
    start: int,
    stop: int,
    *,
    out: Array | None = None,
) -> Array:
    """Traces ``[start, stop)`` after all stages; in ``out``, of their shape and type, where it is given."""
    if out is None:
        if not program.steps:
            return np.array(read(start, stop), dtype=program.dtype, order="C", copy=True, subok=False)
        out = np.empty((stop - start, program.n_channels), program.dtype)
    elif not program.steps:
        out[:] = read(start, stop)
        return out
    calls = _bound(program, arrays)
    last = len(calls)
    while last and program.device is None and calls[last - 1][0].is_pointwise:
        last -= 1
    with single_threaded_blas():
        for tile_start, tile_stop, traces, _ in _tiles(program, calls[:last], read, start, stop, come_back=True):
            lo, hi = max(start, tile_start), min(stop, tile_stop)
            for row in range(0, tile_stop - tile_start, SUB_BLOCK_ROWS):
                first, final = max(row, lo - tile_start), min(row + SUB_BLOCK_ROWS, hi - tile_start)
                if first >= final:
                    continue
                block = traces[row : row + SUB_BLOCK_ROWS]
                for step, call in calls[last:]:
                    block = call(block, before=step.before, after=step.after)
                out[tile_start + first - start : tile_start + final - start] = block[first - row : final - row]
            del traces  # otherwise it would stay in memory beside the next tile
    return out


def run_events(
    program: Program, arrays: Mapping[str, Array], read: Callable[[int, int], Array], start: int, stop: int
) -> Array:
    """Events in the range ``[start, stop)``, each owned by the tile and the chunk that contain its sample."""
    parts = []
    for _, _, events in _event_tiles(program, arrays, read, start, stop):
        samples = events["sample_index"] - program.origin
        parts.append(events[(samples >= start) & (samples < stop)])
    return np.concatenate(parts) if parts else np.empty(0, program.dtype)


def run_partials(
    program: Program, arrays: Mapping[str, Array], read: Callable[[int, int], Array], start: int, stop: int
) -> dict[int, dict[str, Array]]:
    """One dict of summable arrays per tile that begins inside ``[start, stop)``, by the number of the tile."""
    return dict(each_partial(program, arrays, read, start, stop))


def each_partial(
    program: Program, arrays: Mapping[str, Array], read: Callable[[int, int], Array], start: int, stop: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    """The same one by one, for those who need not have all of them in memory at once."""
    tile = program.tile_samples
    first, last = -(-start // tile) * tile, min(-(-stop // tile) * tile, program.n_samples)
    for at, _, partial in _event_tiles(program, arrays, read, first, last):
        yield at // tile, partial


def _bound(program: Program, arrays: Mapping[str, Array]) -> list[tuple[Step, _Call]]:
    announce_compilation()
    calls: list[tuple[Step, _Call]] = []
    for k, step in enumerate(program.steps):
        own = {name.split(".", 1)[1]: a for name, a in arrays.items() if name.startswith(f"{k}.")}
        calls.append((step, _Call(step.func, {**step.parameters, **bundled(own)})))
    return calls


@dataclass(frozen=True)
class _Call:
    func: Callable[..., Any]
    keywords: Mapping[str, Any]

    def __call__(self, *args: Any, **more: Any) -> Any:
        return self.func(*args, **more, **self.keywords)


def _tiles(
    program: Program,
    calls: list[tuple[Step, _Call]],
    read: Callable[[int, int], Array],
    start: int,
    stop: int,
    *,
    before: int = 0,
    after: int = 0,
    come_back: bool = False,
) -> Iterator[tuple[int, int, Array, bool]]:
    """Each tile touching ``[start, stop)`` after these trace stages, with ``before`` and ``after`` more rows.

    The last item tells whether its traces were made for it alone, so that whoever reads them last may overwrite them.
    Tiles on a device stay there until the next one is asked for, or ``come_back`` at once to host memory.
    """
    if stop <= start:
        return
    lead = before + sum(step.before for step, _ in calls)
    tail = after + sum(step.after for step, _ in calls)
    tile = program.tile_samples
    first, last = start // tile * tile, min(-(-stop // tile) * tile, program.n_samples)
    with buffers_kept(), borrowing() as borrow_for_chunk:
        reader = Reader(read, program.n_samples, first - lead, last + tail, borrow_for_chunk)
        fetched = on_host
        for k, (step, _) in enumerate(calls):
            if program.device is None or not hasattr(step.func, "staged"):
                continue
            fetched = getattr(step.func, "fetched", on_host)
            if k == 0:  # read now, while another thread still uses the device
                reader.block = step.func.staged(reader.block, device=program.device)
        for tile_start in range(first, last, tile):
            tile_stop = min(tile_start + tile, program.n_samples)
            with borrowing() as borrow:
                given = reader(tile_start - lead, tile_stop + tail)
                if program.device is None:
                    traces = _chain(given, calls, tile_start - lead, borrow)
                    yield tile_start, tile_stop, traces, not np.may_share_memory(traces, given)
                    del traces
                    continue
                with _DEVICE_TURN:
                    traces = _chain(given, calls, tile_start - lead, borrow)
                    if come_back:
                        traces = fetched(traces)
                    else:
                        yield tile_start, tile_stop, traces, False
                if come_back:
                    yield tile_start, tile_stop, traces, False  # copied from here while another thread has its turn
                del traces


def _chain(given: Array, calls: list[tuple[Step, _Call]], first: int, borrow: Borrow = np.empty) -> Array:
    """Traces after the given stages; ``first`` is the absolute number of the first sample given."""
    traces, k = given, 0
    while k < len(calls):
        step, call = calls[k]
        if not step.is_pointwise:
            first += step.before
            when = {"start": first} if step.timed else {}
            traces = call(traces, before=step.before, after=step.after, **when)
            k += 1
            continue
        group = []
        while k < len(calls) and calls[k][0].is_pointwise:
            group.append(calls[k][1])
            k += 1
        traces = _pointwise(traces, group, given, borrow)
    return traces


def on_host(result: Any) -> Any:
    """Traces, records or partial sums as NumPy arrays, wherever they were computed."""
    if isinstance(result, dict):
        return {name: on_host(value) for name, value in result.items()}
    return result.get() if hasattr(result, "get") else result


def _pointwise(traces: Array, group: list[_Call], given: Array, borrow: Borrow) -> Array:
    """Run consecutive pointwise stages sub-block by sub-block, so that the input of each stage is still in cache.

    Stages overwrite the output of an earlier stage of the same shape, but never the source's array. A device has a
    different cache and a cost per call, so there each stage runs on the whole tile.
    """
    if not isinstance(traces, np.ndarray):
        for call in group:
            traces = call(traces, before=0, after=0)
        return traces
    fill = getattr(group[0].func, "fill_float32", None) if len(group) == 1 else None
    if fill is not None:  # nothing to keep in cache for a next stage, so one call that holds no lock
        own = traces.dtype == np.float32 and traces.flags.writeable and not np.may_share_memory(traces, given)
        filled = traces if own else borrow(traces.shape, np.float32)
        fill(traces, filled, **group[0].keywords)
        return filled
    out: Array | None = None
    for row in range(0, len(traces), SUB_BLOCK_ROWS):
        block = traces[row : row + SUB_BLOCK_ROWS]
        for call in group:
            block = call(block, before=0, after=0)
        if out is None:
            fits = traces.dtype == block.dtype and traces.shape[1] == block.shape[1] and traces.flags.writeable
            own = fits and not np.may_share_memory(traces, given)
            out = traces if own else borrow((len(traces), block.shape[1]), block.dtype)
        out[row : row + SUB_BLOCK_ROWS] = block
    return traces if out is None else out


def _event_tiles(
    program: Program, arrays: Mapping[str, Array], read: Callable[[int, int], Array], start: int, stop: int
) -> Iterator[tuple[int, int, Any]]:
    calls = _bound(program, arrays)
    n_trace = sum(step.emits == "traces" for step in program.steps)
    before = max(step.before for step in program.steps[n_trace:])
    after = max(step.after for step in program.steps[n_trace:])
    with single_threaded_blas():
        for tile_start, tile_stop, traces, is_scratch in _tiles(
            program, calls[:n_trace], read, start, stop, before=before, after=after
        ):
            found: Any = None
            for k, (step, call) in enumerate(calls[n_trace:], n_trace + 1):
                view = traces[before - step.before : len(traces) - (after - step.after)]
                given = () if found is None else (found,)
                is_last = k == len(calls) and is_scratch and getattr(step.func, "can_overwrite", False)
                more = {"overwrite": True} if is_last else {}
                start_of_tile = tile_start + program.origin
                found = call(view, *given, before=step.before, after=step.after, start=start_of_tile, **more)
            found = own_arrays(on_host(found), traces)
            del traces, view  # otherwise they would stay in memory beside the next tile
            yield tile_start, tile_stop, found
            del found
