"""What can go wrong, by cause: the recording, a parameter, the output location, or a resource.

Every message names the value, the limit and the remedy. The command line derives its exit status from the class.
"""

import errno
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock


class RecordingError(ValueError):
    """The recording cannot be used: wrong dimensions, no probe, non-finite samples, too short."""


class SilentRecordingError(RecordingError):
    """Too few spikes to learn anything from."""


class ParameterError(ValueError):
    """A parameter, preset or name that does not exist, or a value outside its limits."""


class OutputError(OSError):
    """The result cannot be written to the requested location."""


class ResourceError(RuntimeError):
    """Memory, a disk, workers or a connection gave out; finished work is kept.

    Attributes
    ----------
    resource
        What gave out, by a name of ``REMEDY_OF_RESOURCE``; None if that is not known.
    """

    def __init__(self, message: str, *, resource: str | None = None) -> None:
        super().__init__(message)
        self.resource = resource


class SorterError(RuntimeError):
    """Another sorter ended with an error of its own."""


class XephysWarning(UserWarning):
    """The input is unusual in a way that was worked around but that the user should know about."""


def warn_user(message: str) -> None:
    """Warn about something unusual, attributed to the calling line outside this package.

    Examples
    --------
    >>> import pytest
    >>> with pytest.warns(XephysWarning, match="odd"):
    ...     warn_user("this is odd")
    """
    level, frame = 1, sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, XephysWarning, stacklevel=level)


#: What can give out, and what helps.
REMEDY_OF_RESOURCE = {
    "memory": "use shorter chunks, fewer recordings at once, or a machine with more memory",
    "GPU memory": "use smaller batches, or a GPU with more memory",
    "disk": "free some space, or choose another folder",
    "workers": "give the workers of the cluster more memory",
    "connection": "start the program at the other end",
    "buffer": "make the buffer longer, or process fewer channels",
    "time": "give a longer limit",
    "GPU": "let the GPU cool down",
}
#: How libraries for GPUs say that its memory gave out, in the class or in the text of an error or a log.
GPU_MEMORY_GAVE_OUT = re.compile(
    r"cuda out of memory|cuda error: out of memory|cuda_error_out_of_memory|cudaErrorMemoryAllocation"
    r"|out of memory on device|(torch|cupy)\S*\.OutOfMemoryError",
    re.I,
)
#: Kinds of failures and the classes they show in, the first that fits; what gave out is told before.
_KINDS: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("parameter", (ParameterError,)),
    ("recording", (RecordingError, FileNotFoundError)),
    ("output", (OutputError, PermissionError)),
    ("resource", (ResourceError, MemoryError)),
    ("installation", (ImportError,)),
    ("sorter", (SorterError,)),
)
#: Names of Dask's classes that say that workers gave out.
_LOST_WORKERS = ("KilledWorker", "CommClosedError", "FutureCancelledError")


def kind_of(error: BaseException) -> str:
    """Whose fault an error is: ``parameter``, ``recording``, ``output``, ``resource``, ``installation`` or ``sorter``.

    ``unexpected`` if it is none of these.

    Examples
    --------
    >>> kind_of(ModuleNotFoundError("No module named 'kilosort'")), kind_of(ZeroDivisionError())
    ('installation', 'unexpected')
    """
    if any(getattr(error, "kind", None) == kind for kind, _ in _KINDS):
        return str(error.kind)  # type: ignore[attr-defined]  # a classified failure says it itself
    if resource_of(error) is not None:
        return "resource"
    return next((kind for kind, classes in _KINDS if isinstance(error, classes)), "unexpected")


def resource_of(error: BaseException) -> str | None:
    """What gave out, by a name of ``REMEDY_OF_RESOURCE``; None if nothing did, or the error does not tell.

    Examples
    --------
    >>> [resource_of(error) for error in (MemoryError(), OSError(28, "full"), RuntimeError("CUDA out of memory"))]
    ['memory', 'disk', 'GPU memory']
    """
    named, kind = getattr(error, "resource", None), type(error)
    if isinstance(named, str) and named in REMEDY_OF_RESOURCE:
        return named
    if isinstance(error, OSError) and is_disk_full(error):
        return "disk"
    if GPU_MEMORY_GAVE_OUT.search(f"{kind.__module__}.{kind.__name__}: {error}"):
        return "GPU memory"
    if kind.__name__ in _LOST_WORKERS:
        return "workers"
    return "memory" if isinstance(error, MemoryError) or kind.__name__ == "OutOfMemoryError" else None


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed for lack of space. NumPy reports a short write in words, without an error number.

    Examples
    --------
    >>> is_disk_full(OSError(28, "No space left on device")), is_disk_full(OSError(13, "Permission denied"))
    (True, False)
    """
    if error.errno is None:
        return "requested and" in str(error)
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


#: Filters of warnings belong to the process, so only one thread at a time may replace and restore them.
_FILTERS = RLock()


@contextmanager
def readers_silenced(*, again: bool = False) -> Iterator[None]:
    """Ignore what readers of other packages say about calls that they deprecate themselves: no user makes these calls.

    Parameters
    ----------
    again
        Whether a file is read that was opened before: then all has been said, and every warning is ignored.
    """
    with _FILTERS, warnings.catch_warnings():
        for category in (Warning,) if again else (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        yield
