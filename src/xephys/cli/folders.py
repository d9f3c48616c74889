"""The folder of a result: what may be written to it, and what a stopped run left there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import OutputError, ParameterError, RecordingError

SORTING_NAME, PHY_NAME, WORK_NAME = "sorting.zarr", "phy", ".work"

#: Bytes that a sort keeps per second and channel: several peaks with their features, for the detection and for every
#: refinement.
_WORK_BYTES = 5000
_WORK_BYTES_MIN = 32 * 2**20


def check_result_folder(out: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a folder that already holds results or cannot be written to, before any work is done.

    A folder that contains only ``.work``, or also the first of the results, belongs to a run that was stopped and is
    resumed. Results are written in the order of their names, so a later result without the earlier ones was not left by
    an interrupted run: the user may have edited it.

    Raises
    ------
    OutputError
        If the folder is a file, holds results that may not be replaced, or cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; give a folder to --out")
    present = [name for name in names if (out / name).exists()]
    stopped = (out / WORK_NAME).exists() and len(present) < len(names) and present == list(names[: len(present)])
    if present and not stopped and not overwrite:
        raise OutputError(
            f"{out} already holds {' and '.join(present)}; choose another folder, or replace them with --overwrite"
        )
    above = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{above} cannot be written to; choose another folder or change its permissions")


def sort_bytes(n_channels: int, duration_s: float) -> int:
    """Estimated number of bytes that a sort needs for its checkpoints and results."""
    return _WORK_BYTES_MIN + round(_WORK_BYTES * n_channels * duration_s)


@contextmanager
def work_folder(out: Path, *, discard: bool = False) -> Iterator[Path]:
    """Yield ``.work`` in the results' folder, from which a stopped run, or one with other late parameters, resumes.

    With ``discard``, it is removed once the results are complete. It is also removed if there is nothing worth keeping,
    because no chunk was finished or the recording is at fault.
    """
    work, new_out = out / WORK_NAME, not out.exists()
    new_work = not work.exists()
    work.mkdir(parents=True, exist_ok=True)
    try:
        yield work
    except BaseException as error:
        useless = isinstance(error, (RecordingError, ParameterError)) or not any(p.is_file() for p in work.rglob("*"))
        if new_work and useless:
            shutil.rmtree(work)
            if new_out and not any(out.iterdir()):
                out.rmdir()
        raise
    if discard:
        shutil.rmtree(work)


def what_remains(out: Any) -> str:
    """Sentence on what a stopped command left in its folder ``out`` (None for a command without one)."""
    if out is None or not (Path(out) / WORK_NAME).exists():
        return "what was not finished has been removed"
    return f"finished chunks are kept in {Path(out) / WORK_NAME}; the same command resumes from there"
