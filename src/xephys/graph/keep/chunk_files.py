"""Files of records, one per chunk: their names, whether they are whole, and which of any length can be reused."""

from __future__ import annotations

import io
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..plan import Plan

#: Names of the files: first sample, and the one after the last.
_CHUNK_NAME = re.compile(r"chunk_(?P<start>\d{12})_(?P<stop>\d{12})\.npy")


def chunk_path(folder: Path, start: int, stop: int) -> Path:
    """The file of the records in ``[start, stop)``."""
    return folder / f"chunk_{start:012d}_{stop:012d}.npy"


def reusable_chunks(plan: Plan, folder: Path) -> tuple[int, ...]:
    """Finished chunks of any length, and the plan's own chunks for what lies between them."""
    names = (_CHUNK_NAME.fullmatch(path.name) for path in folder.glob("chunk_*.npy"))
    stored = sorted((int(n["start"]), -int(n["stop"])) for n in names if n is not None)
    edges, reached = {plan.start, plan.stop}, plan.start
    own = plan.starts
    for start, minus_stop in stored:  # the longest first among those with the same start
        stop = -minus_stop
        whole = stored_count(chunk_path(folder, start, stop), plan.dtype) is not None
        if whole and reached <= start < stop <= plan.stop:
            edges |= {start, stop, *own[(own > reached) & (own < start)].tolist()}
            reached = stop
    edges |= set(own[own > reached].tolist())
    return tuple(b - a for a, b in pairwise(sorted(edges))) or plan.chunks


def stored_count(path: Path, dtype: np.dtype[Any]) -> int | None:
    """Number of records in a chunk's file; None if it is absent or incomplete."""
    try:
        with path.open("rb") as file:
            begin = file.read(10)
            header = begin + file.read(int.from_bytes(begin[8:], "little"))
            count, more = divmod(os.fstat(file.fileno()).st_size - len(header), dtype.itemsize)
    except OSError:
        return None
    return count if count >= 0 and not more and header == _header(dtype, count) else None


def _header(dtype: np.dtype[Any], count: int) -> bytes:
    """What NumPy writes before records. Comparing with it takes a third of the time of reading it."""
    file = io.BytesIO()
    what = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, what)
    return file.getvalue()
