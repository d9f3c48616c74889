"""Traces that are computed once and read again: tiles in memory or on disk, or recomputed on each read.

Several passes over a recording would filter and whiten it again each time. A `KeptSource` replaces that chain: it
computes a tile on first use, and keeps it. What is read does not depend on where it is kept: each tile is computed
separately on the tile grid, even if nothing is kept. A sort therefore gives the same bits in every mode, and on a
machine whose disk was full.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from ...errors import OutputError
from ..checkpoint import content_token, write_atomically
from ..events import compute
from ..plan import Array, Plan, regular_chunks
from ..run import Program, run_traces, visible_arrays
from ..scheduler import active_client
from ..tasks import DaskSource, over_chunks
from .room import disk_free_bytes, lies_in_memory, memory_free_bytes
from .turns import Turns

logger = logging.getLogger(__name__)

Place: TypeAlias = Literal["memory", "disk", "none"]
PLACES = ("auto", "memory", "disk", "none")
#: Tiles are kept in memory by default if they take no more than this, and no more than this share of the free memory.
MEMORY_BYTES_MAX, MEMORY_SHARE = 3 << 29, 1 / 8
#: So small a share of the free memory is used whatever its size: machines with many cores have much memory, and the
#: disk would hold them up.
SMALL_MEMORY_SHARE = 1 / 16
#: Prefix of the folders of kept tiles.
KEPT_PREFIX = "kept-"
#: Space that is left free on a disk.
DISK_BYTES_LEFT = 1 << 30


@dataclass(frozen=True, eq=False)
class KeptSource:
    """The traces of a plan as a source, tile by tile.

    Attributes
    ----------
    plan
        Plan that emits traces; it is never run over more than one tile at a time.
    place
        ``"memory"``, ``"disk"`` or ``"none"``.
    folder
        Directory of the tiles, for ``"disk"``.
    """

    plan: Plan
    place: Place
    folder: str = ""
    _memory: Array | None = field(default=None, repr=False)
    _done: set[int] = field(default_factory=set, repr=False)
    _turns: Turns = field(default_factory=Turns, repr=False)

    @property
    def n_samples(self) -> int:
        return self.plan.source.n_samples

    @property
    def n_channels(self) -> int:
        return self.plan.n_channels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.plan.dtype

    @cached_property
    def token(self) -> str:
        return f"kept:{content_token(self.plan)}"

    def read(self, start: int, stop: int) -> Array:
        tile = self.plan.tile_samples
        numbers = range(start // tile, -(-stop // tile))
        if self._memory is not None and self._first <= start and stop <= self._first + len(self._memory):
            self._in_turn([number for number in numbers if number not in self._done], self._fill_memory)
            return self._memory[start - self._first : stop - self._first]
        out = np.empty((stop - start, self.n_channels), self.dtype)

        def read_tile(number: int, *, compute: bool = True) -> bool:
            first, last = max(start, number * tile), min(stop, (number + 1) * tile)
            return self._read_tile(number, first - number * tile, out[first - start : last - start], compute=compute)

        shared = self.place != "none"  # otherwise no thread can use what another one computes
        self._in_turn([number for number in numbers if not read_tile(number, compute=not shared)], read_tile)
        return out

    def _in_turn(self, numbers: list[int], work: Callable[[int], Any]) -> None:
        """Work on each of the tiles, first on those at which no other thread is."""
        left = list(numbers)
        while left:
            number = self._turns.take(left)
            try:
                work(number)
            finally:
                self._turns.end(number)
            left.remove(number)

    def _fill_memory(self, number: int) -> None:
        assert self._memory is not None
        if number not in self._done:  # another thread may just have computed it
            first = number * self.plan.tile_samples - self._first
            self._computed(number, out=self._memory[first : first + self._shape(number)[0]])
            self._done.add(number)

    def _read_tile(self, number: int, first: int, rows: Array, *, compute: bool) -> bool:
        """Fill ``rows`` with those of a tile from ``first`` on; False if it is not kept and not to be computed."""
        if self.place == "disk" and read_rows(self._path(number), first, rows, self._shape(number)[0]):
            return True
        if compute:
            tile = self._computed(number)
            self.keep(number, tile)
            rows[:] = tile[first : first + len(rows)]
        return compute

    def _computed(self, number: int, *, out: Array | None = None) -> Array:
        start = number * self.plan.tile_samples
        program, arrays = self._bound
        return run_traces(program, arrays, self.plan.source.read, start, start + self._shape(number)[0], out=out)

    def keep(self, number: int, tile: Array) -> None:
        """Keep a tile if there is room; otherwise it is computed again when it is next read."""
        if self._memory is not None:
            start = number * self.plan.tile_samples - self._first
            if 0 <= start < len(self._memory):
                self._memory[start : start + len(tile)] = tile
                self._done.add(number)
        elif self.place == "disk":
            try:
                write_atomically(self._path(number), lambda file: file.write(tile.data), sync=False)
            except OutputError as error:
                logger.warning("%s: a tile of white traces is not kept and will be computed again", error)

    @cached_property
    def _bound(self) -> tuple[Program, Mapping[str, Array]]:
        return Program.of(self.plan), visible_arrays(self.plan)

    @property
    def _first(self) -> int:
        """First sample that is kept in memory."""
        return kept_range(self.plan)[0]

    def _shape(self, number: int) -> tuple[int, int]:
        tile = self.plan.tile_samples
        return min(tile, self.n_samples - number * tile), self.n_channels

    def _path(self, number: int) -> Path:
        return Path(self.folder) / f"tile_{number:08d}.bin"

    def __getstate__(self) -> dict[str, Any]:
        if self._done:
            raise TypeError(
                "traces kept in the memory of this process cannot be sent to another one; keep them on disk "
                '(cache="disk") on a cluster'
            )
        state = {"plan": self.plan, "place": self.place, "folder": self.folder}
        return {**state, "_memory": None, "_done": set(), "_turns": self._turns}


def read_rows(path: Path, first: int, rows: Array, n_rows: int) -> bool:
    """Fill ``rows`` from a file of ``n_rows`` rows; False if the file is absent or incomplete."""
    with suppress(OSError), path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != n_rows * rows[0].nbytes:
            return False
        file.seek(first * rows[0].nbytes)
        flat, filled = rows.reshape(-1).view(np.uint8), 0
        while filled < rows.nbytes:
            got = file.readinto(flat[filled:].data)
            if not got:
                return False
            filled += got
        return True
    return False


def keep_traces(plan: Plan, folder: Path | None, *, place: str = "auto", bytes_max: int | None = None) -> Plan:
    """A plan over the kept traces of another plan.

    Parameters
    ----------
    plan
        Plan that emits traces.
    folder
        Tiles go to a subfolder named after their content; nothing is kept on disk if None.
    place
        ``"memory"``, ``"disk"``, ``"none"``, or ``"auto"``: memory if the tiles are small enough, otherwise disk if
        there is room, otherwise none.
    bytes_max
        Maximum number of bytes to keep; if the tiles take more, nothing is kept. Unlimited if None.

    Returns
    -------
    Plan without stages whose source is a :class:`KeptSource`, with the same range, chunks and tiles.
    """
    chosen = chosen_place(plan, folder, place=place, bytes_max=bytes_max)
    source = KeptSource(plan, chosen)
    if chosen == "disk":
        assert folder is not None
        source = replace(source, folder=str(folder / f"{KEPT_PREFIX}{content_token(plan)}"))
        try:
            Path(source.folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create {source.folder}: {error.strerror}; choose another folder") from error
    if chosen == "memory":
        first, stop = kept_range(plan)
        source = replace(source, _memory=np.empty((stop - first, plan.n_channels), plan.dtype))
    if isinstance(plan.source, DaskSource) and chosen != "none":
        _fill(source)
    return replace(plan, source=source, stages=())


def forget_kept(folder: Path) -> None:
    """Remove the tiles that were kept below a folder; anyone still reading them computes them again."""
    for path in folder.glob(f"{KEPT_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def kept_range(plan: Plan) -> tuple[int, int]:
    """Samples of the tiles that a plan's range touches, plus one tile on either side for later halos."""
    tile = plan.tile_samples
    return max(0, plan.start // tile - 1) * tile, min((-(-plan.stop // tile) + 1) * tile, plan.source.n_samples)


def chosen_place(plan: Plan, folder: Path | None, *, place: str = "auto", bytes_max: int | None = None) -> Place:
    """Where the traces of a plan are kept: resolves ``"auto"``, and returns ``"none"`` if there is no room.

    A folder in memory (tmpfs) is not a disk: its contents have to fit into memory.
    """
    needed = sum(plan.chunks) * plan.n_channels * plan.dtype.itemsize
    if bytes_max is not None and needed > bytes_max:
        return "none"
    alone = active_client() is None
    free_memory = memory_free_bytes()
    small = needed <= max(min(MEMORY_BYTES_MAX, MEMORY_SHARE * free_memory), SMALL_MEMORY_SHARE * free_memory)
    if place == "memory" or (place == "auto" and alone and small):
        return "memory" if alone else "none"
    if place == "none" or folder is None:
        return "none"
    free = disk_free_bytes(folder)
    if lies_in_memory(folder):
        free = min(free, memory_free_bytes() // 2)
    if free < needed + DISK_BYTES_LEFT:
        logger.warning(
            "%.1f GB of white traces do not fit on the disk of %s: they are computed in each pass", needed / 1e9, folder
        )
        return "none"
    return "disk"


def _fill(source: KeptSource) -> None:
    """Compute all tiles of a plan over a Dask array, whose samples are only available in tasks."""
    plan, tile = source.plan, source.plan.tile_samples
    first, stop = kept_range(plan)
    whole = replace(plan, start=first, chunks=regular_chunks(stop - first, tile))
    name = f"keep-{whole.token}"
    n_tiles = len(whole.chunks)
    blocks = over_chunks(whole, as_block, name=name, dtype=object, chunks=((1,) * n_tiles,))
    for number, (a, _) in enumerate(pairwise(whole.starts.tolist())):
        (block,) = compute(blocks[number : number + 1])
        source.keep(a // tile, block[0])


def as_block(
    program: Program, arrays: Mapping[str, Array], read: Callable[[int, int], Array], start: int, stop: int
) -> Array:
    """Task of one tile: its traces, as one object."""
    block = np.empty(1, object)
    block[0] = run_traces(program, arrays, read, start, stop)
    return block
