"""Convert what a stage raised into a classified failure, where its cause is known."""

from __future__ import annotations

from pathlib import Path

from ...errors import OutputError, ResourceError, SilentRecordingError, resource_of
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
    causes = [cause for cause in (error, error.__cause__) if cause is not None]
    resource = next((found for cause in causes if (found := resource_of(cause)) is not None), None)
    if resource == "disk" or (isinstance(error, OutputError) and "free" in str(error)):
        return DiskExhaustionError(
            f"the disk of {folder} is full: {error}", folder=str(folder), free_gb_at_trip=disk_free_bytes(folder) / 1e9
        )
    said = str(error) or type(error).__name__
    if isinstance(error, ResourceError) and resource in ("memory", "workers"):
        return HostOutOfMemoryError(said)
    if resource == "memory":
        return HostOutOfMemoryError(f"memory gave out: {said}; use smaller chunks or fewer recordings at once")
    if resource == "workers":
        return HostOutOfMemoryError(f"workers of the cluster were lost: {said}; give them more memory")
    return None
