"""Parameter checks shared by every layer; each error names the value, the limit and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from .errors import ParameterError, RecordingError
from .foreign import note_on, our_name

#: A sampling rate below this, in a recording to be filtered for spikes, was probably given in kilohertz.
KILOHERTZ_BELOW = 500.0


def check_number(**values: Any) -> None:
    """Check that values are single numbers, not strings or lists."""
    for name, value in values.items():
        wrong = isinstance(value, (str, bool, np.bool_))
        if wrong or np.ndim(value) or not isinstance(value, (float, int, np.number, np.ndarray)):
            raise ParameterError(f"{name} is {value!r:.60}, a {type(value).__name__}; give one number")


def check_corner(name: str, value_hz: float, sampling_frequency: float) -> None:
    """Check that a corner frequency lies strictly between 0 and the Nyquist frequency."""
    nyquist = sampling_frequency / 2
    if not np.isfinite(value_hz) or not 0 < value_hz < nyquist:
        kilo = f"; if its rate is {sampling_frequency:g} kHz, sampling_frequency is {1000 * sampling_frequency:g}"
        raise ParameterError(
            f"{name} is {value_hz:g} Hz; it must lie between 0 and the Nyquist frequency, {nyquist:g} Hz, "
            f"of this {sampling_frequency:g} Hz recording{kilo if sampling_frequency < KILOHERTZ_BELOW else ''}"
        )


def check_positive(**values: float) -> None:
    """Check that numbers are greater than zero."""
    check_number(**values)
    for name, value in values.items():
        if not np.isfinite(value) or value <= 0:
            raise ParameterError(f"{name} is {value!r}; it must be greater than 0")


def check_share(**values: float) -> None:
    """Check that shares are above 0 and at most 1."""
    check_number(**values)
    for name, value in values.items():
        if not 0 < value <= 1:
            raise ParameterError(f"{name} is {value!r}; it must be above 0 and at most 1")


def sample_type(dtype: Any, *, name: str = "dtype") -> np.dtype[Any]:
    """The type of samples that a user names.

    Raises
    ------
    ParameterError
        If NumPy does not know it, or it is neither an integer nor a real type.

    Examples
    --------
    >>> sample_type("int16").itemsize
    2
    """
    try:
        known = np.dtype(dtype)
    except TypeError as error:
        raise ParameterError(f"{name} is {dtype!r}, which NumPy does not know; give a name such as 'int16'") from error
    if known.kind not in "iuf":
        raise ParameterError(f"{name} is {known}; traces hold integers or real numbers, such as 'int16' or 'float32'")
    return known


def array_of_traces(given: Any) -> Any:
    """What a user gives as traces, if it is an array: of NumPy, Dask, Zarr, HDF5, or anything that looks like one.

    Raises
    ------
    RecordingError
        If it is something else, or holds what an array of traces cannot: labels, a mask, an unknown number of samples.

    Examples
    --------
    >>> array_of_traces([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if isinstance(given, (list, tuple)):
        return np.asarray(given)
    if isinstance(given, (str, Path)):
        raise RecordingError(f"traces are a path, {str(given)!r}; open it: open_recording({str(given)!r})")
    if hasattr(given, "xindexes") and (len(given.coords) or len(given.attrs)):
        raise RecordingError(
            "traces are a labelled array, whose labels would be lost; if it is a recording, use it as it is, otherwise "
            "give its values (.data), and its labels as channel_ids and coordinates"
        )
    if hasattr(given, "mask") and hasattr(given, "filled"):
        raise RecordingError("traces are masked, and a recording has no mask; fill what is masked: array.filled(0)")
    if not all(hasattr(given, name) for name in ("ndim", "dtype", "shape")):
        values = ", such as .to_numpy()" if hasattr(given, "to_numpy") else ""
        raise RecordingError(f"traces are of type {type(given).__name__}; give a (time, channel) array{values}")
    if any(n != n for n in given.shape):  # Dask's mark for a length that it has not computed
        raise RecordingError("traces are of an unknown number of samples; compute it first: compute_chunk_sizes()")
    return given


def check_exists(path: Path) -> None:
    """Check that there is a file or folder at a path; the error names the one beside it that is spelled most alike.

    Raises
    ------
    FileNotFoundError
        If there is none.

    Examples
    --------
    >>> check_exists(Path.cwd())
    """
    if path.exists():
        return
    from difflib import get_close_matches

    if path.parent.is_dir():
        near = get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1)
        hint = f"; there is {near[0]!r}" if near else ""
    else:
        hint = f" ({path.parent} does not exist either)"
    raise FileNotFoundError(f"{path.absolute()} does not exist; check the path{hint}")


@contextmanager
def readable(path: Any, *, what: str) -> Iterator[None]:
    """Answer a file that cannot be read in a sentence; ``what`` is what it should be.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ParameterError
        If it is a folder, may not be read, or holds something else.

    Examples
    --------
    >>> with readable("none.toml", what="a configuration"):
    ...     open("none.toml")
    Traceback (most recent call last):
        ...
    FileNotFoundError: none.toml does not exist; give the path of a configuration
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} does not exist; give the path of {what}") from error
    except OSError as error:
        raise ParameterError(f"{path} cannot be read ({error.strerror or error}); give the path of {what}") from error
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"{path} does not hold {what}; give another path") from error


def why_unreadable(error: BaseException) -> str:
    """What is wrong with an archive of arrays, without NumPy's advice to load it unsafely.

    Examples
    --------
    >>> why_unreadable(ValueError("This file contains pickled data, you can load it unsafely using the keyword ..."))
    'it is not an archive of arrays (.npz)'
    """
    return "it is not an archive of arrays (.npz)" if "unsafely" in str(error) else str(error)


def check_choice(name: str, value: str, choices: Mapping[str, Any] | tuple[str, ...]) -> None:
    """Check that a name is on a fixed list; the error suggests the nearest one."""
    if value in choices:
        return
    raise ParameterError(
        f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}{hint_for(value, choices)}"
    )


def keywords_of(function: Callable[..., Any]) -> list[str]:
    """Names of a function's keyword-only parameters.

    Examples
    --------
    >>> keywords_of(check_keywords)
    ['what', 'beside']
    """
    return [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]


def check_keywords(
    given: Mapping[str, Any], builder: Callable[..., Any], *, what: str, beside: Iterable[str] = ()
) -> None:
    """Check keywords against the keyword-only parameters of a method's builder; the error suggests the nearest name.

    Parameters
    ----------
    given
        The caller's keywords, by name.
    builder
        Function whose keyword-only parameters are those of the method.
    what
        The method's name in the error message, such as ``"method 'dredge'"``.
    beside
        Parameters of the function that passes the keywords on, one of which may have been meant.

    Raises
    ------
    ParameterError
        If a keyword is unknown, or a required one is missing.
    """
    kinds = signature(builder).parameters.values()
    known = {p.name: p.default is p.empty for p in kinds if p.kind is p.KEYWORD_ONLY}
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            hint = hint_for(name, [*known, *beside])
            raise ParameterError(f"{what} has no parameter {name!r}; it has {listed}{hint}")
    missing = [name for name, needed in known.items() if needed and name not in given]
    if missing:
        raise ParameterError(f"{what} needs {' and '.join(missing)}; give it")


def check_passed_on(
    given: Mapping[str, Any], *functions: Callable[..., Any], what: str, without: Iterable[str] = ()
) -> None:
    """Check keywords that a function passes on: each is an optional parameter of one of ``functions``.

    Parameters
    ----------
    given
        The caller's keywords, by name.
    functions
        The function itself, and those that get its keywords.
    what
        The function's name in the error message.
    without
        Names that it does not pass on, because it gives them itself.

    Raises
    ------
    ParameterError
        If a keyword is unknown; the error suggests the nearest one.

    Examples
    --------
    >>> check_passed_on({"without": ()}, check_passed_on, what="a check")
    """
    parameters = [p for function in functions for p in signature(function).parameters.values()]
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY or p.default is not p.empty]
    known = [name for name in known if name not in without]
    for name in given:
        if name not in known:
            raise ParameterError(f"{what} has no parameter {name!r}; it has {', '.join(known)}{hint_for(name, known)}")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be; None if none is close.

    Examples
    --------
    >>> nearest_name("detect_treshold", ["match_threshold", "detect_threshold"]), nearest_name("x", ["seed"])
    ('detect_threshold', None)
    """
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.4)
    return our_name(str(name), names) or (near[0] if near else None)


def hint_for(name: Any, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the likely intended name, or what to do instead.

    It is the last thing that an error says: behind a question mark nothing follows well.

    Examples
    --------
    >>> hint_for("freq_min", ["freq_min_hz"]), hint_for("xyz", ["seed"])
    ("; did you mean 'freq_min_hz'?", '')
    """
    note, names = note_on(str(name)), list(known)
    near = our_name(str(name), names) if note else nearest_name(name, names)
    if near:
        return f"; did you mean {near!r}{f' ({note})' if note else ''}?"
    return f"; {note}" if note else ""
