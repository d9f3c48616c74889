"""Keep finished chunks on disk, so that a killed worker, a full disk or a Ctrl-C loses one chunk at most.

Every task writes its own chunk: to a temporary name, flushed to disk, then renamed, so that a file is either whole or
absent. The folder is named after a digest of everything that determines the content: source, stages, tiles and code. A
changed parameter, file or kernel therefore never meets old results, while chunks of any length are reused. On a
cluster, all workers must see the folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

import numpy as np
from dask.callbacks import Callback
from numpy.typing import NDArray

from .. import __version__
from ..errors import OutputError, ResourceError, is_disk_full
from . import run
from .build import kernel_label, plan_label
from .events import SpikeTable, compute
from .keep.chunk_files import chunk_path, reusable_chunks, stored_count
from .keep.folder import is_scratch
from .local import map_in_threads
from .plan import Array, Plan
from .reduce import Partial, tree_sum
from .run import Program
from .scheduler import active_client
from .tasks import over_chunks
from .writers import is_abandoned, writer_mark

#: Called with the number of finished chunks and the total number.
Progress: TypeAlias = Callable[[int, int], None]


class StoredRecords(Protocol):
    """Records on disk whose fields or rows can be loaded separately.

    They are the result of a pass, or derived from one.
    """

    @property
    def token(self) -> str: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def count(self) -> int: ...
    def load(
        self, fields: Sequence[str] | None = None, *, rows: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[Any]: ...


@dataclass(frozen=True, eq=False)
class CheckpointedEvents:
    """Records on disk, one file per chunk of the recording, in time order.

    Attributes
    ----------
    folder
        Directory of the files.
    paths
        The files, one per chunk.
    counts
        Number of records in each.
    dtype
        dtype of a record.
    sampling_frequency
        In hertz.
    n_computed
        Number of chunks that had to be computed; the others were found on disk.
    token
        Identity of the records, independent of chunks.
    """

    folder: Path
    paths: tuple[Path, ...]
    counts: NDArray[np.int64]
    dtype: np.dtype[Any]
    sampling_frequency: float
    n_computed: int
    token: str

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.dtype.names or ())

    @property
    def count(self) -> int:
        """Total number of records."""
        return int(self.counts.sum())

    def iter_chunks(self) -> Iterator[Array]:
        """Iterate over the records, one chunk at a time."""
        return map(self.chunk, range(len(self.paths)))

    def chunk(self, number: int) -> Array:
        """The records of one chunk."""
        path, count = self.paths[number], int(self.counts[number])
        header = path.stat().st_size - count * self.dtype.itemsize  # which has been read before, to count them
        records = np.fromfile(path, self.dtype, count, offset=max(0, header))
        if len(records) != count or header < 0:
            raise OutputError(f"{path} has been shortened since it was written; remove it and run again")
        return records

    def load(self, fields: Sequence[str] | None = None, *, rows: NDArray[np.integer[Any]] | None = None) -> Array:
        """Load all records in time order, or those at the given ascending positions, with all or some of their fields.

        Besides the result, at most one chunk for each thread is in memory.
        """
        names = self.fields if fields is None else tuple(fields)
        unknown = [name for name in names if name not in self.fields]
        if unknown:
            raise KeyError(f"no field {unknown[0]!r}; these records have {', '.join(self.fields)}")
        out = np.empty(
            self.count if rows is None else len(rows), np.dtype([(name, self.dtype[name]) for name in names])
        )
        borders = np.concatenate([[0], np.cumsum(self.counts)])
        # Borders of the rows' own type: NumPy would otherwise copy all rows to compare them.
        places = borders if rows is None else np.searchsorted(rows, borders.astype(rows.dtype))

        def fill(number: int) -> None:
            first, last = places[number : number + 2]
            records = self.chunk(number)
            if rows is not None:
                records = records[rows[first:last] - borders[number]]
            for name in names:
                out[name][first:last] = records[name]

        map_in_threads(fill, np.flatnonzero(np.diff(places)).tolist())
        return out


def run_events(table: SpikeTable, folder: str | Path, *, progress: Progress | None = None) -> CheckpointedEvents:
    """Compute a table of events chunk by chunk into files, skipping the chunks that are already stored.

    Stored chunks of other lengths are used too: only the samples between them are computed.

    Runs on the active scheduler: threads by default, or the active ``distributed`` client. Tasks return counts only,
    so memory does not grow with the number of events.

    Parameters
    ----------
    table
        Events that still carry their plan.
    folder
        Files go to a subfolder that is named after the content.
    progress
        Called with (finished, total) at the start and after each chunk.

    Raises
    ------
    ValueError
        If the table carries no plan.
    OutputError
        If a file cannot be written, or is not visible here after a worker wrote it.
    ResourceError
        If workers were killed repeatedly on the same chunk. Finished chunks are kept in every case.
    """
    plan = table.plan
    if plan is None:
        raise ValueError("this table was filtered or changed by hand and has no plan; checkpoint it before that")
    token = content_token(plan)
    place = Path(folder).absolute() / f"{kernel_label(plan)}-{token}"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {place}: {error.strerror}; choose a folder that can be written") from error
    plan = replace(plan, chunks=reusable_chunks(plan, place))
    edges = plan.starts.tolist()
    paths = tuple(chunk_path(place, a, b) for a, b in pairwise(edges))
    counts = [stored_count(path, plan.dtype) for path in paths]
    missing = [i for i, count in enumerate(counts) if count is None]
    tally = _Tally(len(paths) - len(missing), len(paths), progress)
    if missing:
        _write_chunks(plan, place, missing, tally)
        for i in missing:
            counts[i] = stored_count(paths[i], plan.dtype)
            if counts[i] is None:
                raise OutputError(
                    f"{paths[i]} was written by a worker but cannot be read here; give a folder that this process and "
                    "all workers share"
                )
    _remove_abandoned(place)
    return CheckpointedEvents(
        place, paths, np.asarray(counts, np.int64), plan.dtype, plan.sampling_frequency, len(missing), token
    )


def run_partials(plan: Plan, folder: str | Path) -> Partial:
    """The sum over all tiles of what the plan's last stage emits: read from its file, or computed and stored.

    Like the sum itself, the file does not depend on the chunks.
    """
    path = Path(folder).absolute() / f"{kernel_label(plan)}-{content_token(plan)}.npz"
    if not path.exists():
        total: dict[str, Any] = tree_sum(plan)
        if is_scratch(path):
            return total
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create {path.parent}: {error.strerror}; choose another folder") from error
        write_atomically(path, lambda file: np.savez(file, **total))
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def content_token(plan: Plan) -> str:
    """Identity of a plan's values, independent of chunks: source, tiles, stages, range and the code behind them."""
    return _digest(plan.identity, plan.start, plan.stop, code_token(plan))


def code_token(plan: Plan) -> str:
    """Identity of the code that computes a plan: the package's version, its kernels and the stages' own modules."""
    modules = [sys.modules.get(stage.func.__module__) for stage in plan.stages]
    files = {file for module in modules if (file := getattr(module, "__file__", None)) is not None}
    return _digest(__version__, _package_code(), *(Path(file).read_bytes() for file in sorted(files)))


@cache
def _package_code() -> str:
    package = Path(__file__).parents[1]
    files = [*sorted(package.joinpath("kernels").rglob("*.py")), Path(run.__file__)]
    return _digest(*(file.read_bytes() for file in files))


def _digest(*parts: object) -> str:
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()[:16]


class _Tally:
    def __init__(self, done: int, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = done, total, progress
        self._report()

    def add(self) -> None:
        self.done += 1
        self._report()

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total)


def _write_chunks(plan: Plan, place: Path, missing: list[int], tally: _Tally) -> None:
    name = f"{plan_label(plan)}-{_digest(plan.token, str(place), uuid4())}"
    ones = ((1,) * len(missing),)
    options = {"folder": str(place)}
    array = over_chunks(plan, write_events, name=name, dtype=np.int64, chunks=ones, numbers=missing, options=options)
    client = active_client()
    if client is None:
        with _OnFinished(name, tally):
            compute(array)
        return
    from distributed import KilledWorker, as_completed, futures_of

    futures = futures_of(client.persist(array))
    try:
        for _ in as_completed(futures, with_results=True):
            tally.add()
    except KilledWorker as error:
        raise ResourceError(
            f"workers were killed repeatedly while computing {error.task}, most likely because they ran out of memory; "
            "use shorter chunks, fewer threads per worker or a higher memory limit (the finished chunks are kept)",
            resource="workers",
        ) from error
    finally:
        client.cancel(futures)


class _OnFinished(Callback):  # type: ignore[misc]
    """Counts the finished tasks of one layer, on Dask's local schedulers."""

    def __init__(self, name: str, tally: _Tally) -> None:
        super().__init__()
        self.name, self.tally = name, tally

    def _posttask(self, key: Any, *_: Any) -> None:
        if isinstance(key, tuple) and key[0] == self.name:
            self.tally.add()


def write_events(
    program: Program,
    arrays: Mapping[str, Array],
    read: Callable[[int, int], Array],
    start: int,
    stop: int,
    *,
    folder: str,
) -> Array:
    """Task of one chunk: compute its events, write them, and return their number."""
    path = chunk_path(Path(folder), start, stop)
    count = stored_count(path, program.dtype)  # present if a worker died between writing and reporting
    if count is None:
        events = run.run_events(program, arrays, read, start, stop)
        write_atomically(path, lambda file: np.save(file, events, allow_pickle=False))
        count = len(events)
    return np.array([count], np.int64)


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished files of processes that were killed; another run may be working in the same folder."""
    for path in folder.glob("*.tmp-*"):
        if is_abandoned(path.name.rpartition(".tmp-")[2]):
            path.unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[Any], Any], *, sync: bool = True) -> None:
    """Write a file under a temporary name and rename it, so that it is either whole or absent.

    Without ``sync``, a power failure may leave a truncated file; a killed process does not. In a scratch folder, which
    nobody reads afterwards, no file is flushed to disk.
    """
    sync = sync and not is_scratch(path)
    temporary = path.with_name(f"{path.name}.tmp-{writer_mark()}")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:  # Ctrl-C included
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        reason = "no space left; free some" if is_disk_full(error) else f"{error.strerror}; make the folder writable"
        raise OutputError(f"cannot write {path}: {reason} and run again (the finished chunks are kept)") from error
