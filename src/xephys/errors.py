"""What can go wrong, by cause: the recording, a parameter, the output location, or a resource.

Every message names the value, the limit and the remedy. The command line derives its exit status from the class.
"""

import errno
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
    """Memory, disk or a worker gave out; finished work is kept."""


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


#: Kinds of failures and the classes they show in, the first that fits; a full disk is told apart before.
_KINDS: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("parameter", (ParameterError,)),
    ("recording", (RecordingError, FileNotFoundError)),
    ("output", (OutputError, PermissionError)),
    ("resource", (ResourceError, MemoryError)),
    ("installation", (ImportError,)),
    ("sorter", (SorterError,)),
)
#: Names of classes of other packages that say that memory or a worker gave out.
_RESOURCE_NAMES = ("KilledWorker", "CommClosedError", "FutureCancelledError", "OutOfMemoryError", "MemoryError")


def kind_of(error: BaseException) -> str:
    """Whose fault an error is: ``parameter``, ``recording``, ``output``, ``resource``, ``installation`` or ``sorter``.

    ``unexpected`` if it is none of these.

    Examples
    --------
    >>> kind_of(ModuleNotFoundError("No module named 'kilosort'")), kind_of(ZeroDivisionError())
    ('installation', 'unexpected')
    """
    if isinstance(error, OSError) and is_disk_full(error):
        return "resource"
    if any(getattr(error, "kind", None) == kind for kind, _ in _KINDS):
        return str(error.kind)  # type: ignore[attr-defined]  # a classified failure says it itself
    if type(error).__name__ in _RESOURCE_NAMES:
        return "resource"
    return next((kind for kind, classes in _KINDS if isinstance(error, classes)), "unexpected")


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
