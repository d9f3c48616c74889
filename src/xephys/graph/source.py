"""Sources: a few strings and numbers that say where samples are stored, opened lazily in each process.

No memory map, open file or array ever travels in a graph. Binary files are read, not memory-mapped: mapped pages would
count as memory of the process and grow with the recording.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import readers_silenced
from .keep.scratch import Borrow
from .plan import Array


def file_token(path: str | Path) -> str:
    """Identity of a file's content as far as the file system can tell: path, size, modification time."""
    status = Path(path).stat()
    return f"{Path(path).resolve()}:{status.st_size}:{status.st_mtime_ns}"


@dataclass(frozen=True)
class BinarySource:
    """Raw samples in a flat file, ordered sample by sample (``time_axis=0``) or channel by channel (``time_axis=1``).

    Parameters
    ----------
    path
        The file.
    dtype_name
        NumPy type string of a sample, including byte order.
    n_file_channels
        Channels stored in the file.
    n_samples
        Samples per channel.
    offset_bytes
        Position of the first sample.
    time_axis
        0: the channels of a sample are contiguous; 1: the samples of a channel are contiguous.
    channels
        Which stored channels to read, in which order; all if None.
    content
        Token of the file's content at the time of opening.
    """

    path: str
    dtype_name: str
    n_file_channels: int
    n_samples: int
    offset_bytes: int = 0
    time_axis: int = 0
    channels: tuple[int, ...] | None = None
    content: str = ""

    @property
    def n_channels(self) -> int:
        return self.n_file_channels if self.channels is None else len(self.channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype_name)

    @cached_property
    def token(self) -> str:
        layout = (
            self.dtype_name,
            self.n_file_channels,
            self.n_samples,
            self.offset_bytes,
            self.time_axis,
            self.channels,
        )
        return f"binary:{self.content}:{layout}"

    #: Whether ``read`` takes a function that makes its array.
    takes_empty: ClassVar[bool] = True

    def read(self, start: int, stop: int, *, empty: Borrow = np.empty) -> Array:
        itemsize, n = self.dtype.itemsize, stop - start
        if self.time_axis == 0:
            row = self.n_file_channels * itemsize
            flat = _read_exactly(self.path, self.offset_bytes + start * row, n * row, empty)
            block: Array = flat.view(self.dtype).reshape(n, self.n_file_channels)
            return block if self.channels is None else block[:, list(self.channels)]
        wanted = range(self.n_file_channels) if self.channels is None else self.channels
        out = np.empty((n, len(wanted)), self.dtype)
        for k, channel in enumerate(wanted):
            position = self.offset_bytes + (channel * self.n_samples + start) * itemsize
            out[:, k] = _read_exactly(self.path, position, n * itemsize).view(self.dtype)
        return out


def _read_exactly(path: str, position: int, n_bytes: int, empty: Borrow = np.empty) -> Array:
    buffer = empty((n_bytes,), np.uint8)
    view = buffer.data
    with Path(path).open("rb", buffering=0) as file:
        file.seek(position)
        filled = 0
        while filled < n_bytes:
            got = file.readinto(view[filled:])
            if not got:
                size = os.fstat(file.fileno()).st_size
                raise OSError(
                    f"{path} ends at byte {size}, {position + n_bytes - size} bytes before the end of the samples "
                    "asked for; it has been shortened since it was opened: open it again"
                )
            filled += got
    return buffer


@dataclass(frozen=True)
class ZarrSource:
    """A two-dimensional ``(time, channel)`` array in a Zarr store on disk."""

    store: str
    component: str
    n_samples: int
    n_channels: int
    dtype_name: str
    content: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype_name)

    @property
    def token(self) -> str:
        return f"zarr:{self.store}:{self.component}:{self.content}:{self.n_samples}:{self.n_channels}"

    def read(self, start: int, stop: int) -> Array:
        block: Array = np.asarray(_zarr_array(self.store, self.component, self.content)[start:stop])
        return block


@lru_cache(maxsize=64)
def _zarr_array(store: str, component: str, content: str) -> Any:
    import zarr

    return zarr.open_group(store, mode="r")[component]


@dataclass(frozen=True)
class PickledSource:
    """A recording object that is read through its own ``get_traces``: its pickle, and the number of one segment.

    Used for SpikeInterface recordings whose samples have no plain layout on disk.
    """

    pickled: bytes
    segment_index: int
    n_samples: int
    n_channels: int
    dtype_name: str
    content: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype_name)

    @cached_property
    def token(self) -> str:
        digest = hashlib.sha1(self.pickled, usedforsecurity=False).hexdigest()
        return f"pickled:{self.content or digest}:{self.segment_index}"

    def read(self, start: int, stop: int) -> Array:
        recording = unpickled(self.pickled, self.content)
        block: Array = recording.get_traces(segment_index=self.segment_index, start_frame=start, end_frame=stop)
        # A view may point into memory shared between processes, which disappears with the recording.
        return block if block.flags.owndata else block.copy()


@lru_cache(maxsize=8)
def unpickled(pickled: bytes, content: str) -> Any:
    """The recording behind a :class:`PickledSource`. This process or one of its workers pickled it; never a file."""
    # `content` only distinguishes versions of a file: readers keep the version open that they were unpickled with.
    with readers_silenced(again=True):
        return pickle.loads(pickled)


def chunked_array(array: Array, *, chunk_samples: int) -> Any:
    """A Dask array over an array in memory (or in Zarr), chunked along time only, without a copy."""
    import dask.array as da

    lazy = da.from_array(array, chunks=(min(chunk_samples, max(1, array.shape[0])), *([-1] * (array.ndim - 1))))
    if not hasattr(lazy, "expr"):
        return lazy
    from .expression import LazyArray

    return LazyArray(lazy.expr)
