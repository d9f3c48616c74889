"""Convert what a stage raised into a classified failure, where its cause is known."""

from __future__ import annotations

from pathlib import Path

from ...errors import OutputError, ResourceError, SilentRecordingError, is_disk_full
from ...graph.keep.room import disk_free_bytes
from ..classified import (
    DiskExhaustionError,
    HostOutOfMemoryError,
    InsufficientActivityError,
    SpikeSortingClassifiedError,
    classified,
)
from ..sorter_logs import classify_failure


def as_classified(error: BaseException, *, sorter: str, folder: Path) -> BaseException:
    """The classified failure behind an error; the error itself if its cause is not known.

    Examples
    --------
    >>> as_classified(MemoryError("3 GiB"), sorter="default", folder=Path("/tmp")).status
    'oom_memoryerror'
    """
    known = classified(error) or _converted(error, sorter, folder) or classify_failure(sorter, folder, error)
    if known is None:
        return error
    if known is not error:
        known.__cause__ = error
    return known


def _converted(error: BaseException, sorter: str, folder: Path) -> SpikeSortingClassifiedError | None:
    if isinstance(error, SilentRecordingError):
        return InsufficientActivityError(str(error), sorter=sorter, units_at_failure=0)
    causes = [error, error.__cause__]
    if any(isinstance(cause, OSError) and is_disk_full(cause) for cause in causes) or (
        isinstance(error, OutputError) and "free" in str(error)
    ):
        return DiskExhaustionError(
            f"the disk of {folder} is full: {error}", folder=str(folder), free_gb_at_trip=disk_free_bytes(folder) / 1e9
        )
    if isinstance(error, (MemoryError, ResourceError)) or type(error).__name__ == "KilledWorker":
        return HostOutOfMemoryError(f"memory gave out: {error}; use smaller chunks or fewer recordings at once")
    return None
