"""Keep results on disk as well as in memory, so that changing a late parameter repeats only what depends on it.

A result is identified by its call: the function, its arguments and the code of the package. Recordings and tables among
the arguments are identified by their plans, so looking up a result reads no samples. The files hold data only (see
``archive``); reading one never runs code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import xarray as xr

from ..errors import OutputError
from .build import plan_of
from .checkpoint import CheckpointedEvents, content_token, write_atomically
from .events import SpikeTable
from .keep.archive import NotStorable, read_archive, write_archive

P = ParamSpec("P")
T = TypeVar("T")

#: Glob pattern for the names of the files.
KEPT_RESULTS = f"*-{'[0-9a-f]' * 16}.result.npz"

_PLAIN = (bool, int, float, complex, str, bytes, np.generic, np.dtype)


class CallOnce:
    """Call functions and keep what they return: ``once(function, argument, name=value)``.

    Parameters
    ----------
    folder
        Directory for the results; nothing is kept if None.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = CallOnce(folder)(np.linspace, 0.0, 1.0, num=3)
    ...     again = CallOnce(folder)(np.linspace, 0.0, 1.0, num=3)  # read from the file of the first
    >>> again.tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = None if folder is None else Path(folder).absolute()

    def __call__(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's return value, read from its file if the same call was made before.

        Raises
        ------
        TypeError
            If an argument cannot be identified, or the result is a dataclass that was not declared as storable (see
            ``archive.storable``).
        OutputError
            If the result cannot be written.
        """
        if self.folder is None:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", type(func).__name__)
        identity = (name, getattr(func, "__module__", ""), _code(), identity_of(args), identity_of(kwargs))
        path = self.folder / f"{name.lstrip('_')}-{_digest(repr(identity).encode())}.result.npz"
        stored = _stored_result(path)
        if stored is not None:
            result: T = stored[0]
            return result
        result = func(*args, **kwargs)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create {path.parent}: {error.strerror}; choose another folder") from error
        with suppress(NotStorable):  # recordings with arbitrary objects as labels: computed again next time
            write_atomically(path, lambda file: write_archive(file, (result,)))
        return result


def identity_of(value: Any) -> str:
    """Text that is equal for equal values in every process, and differs for different values.

    A recording is identified by its plan, channels and rate, independent of chunks; its samples are not read.

    Raises
    ------
    TypeError
        If values of this kind cannot be identified.
    """
    if value is None or isinstance(value, _PLAIN):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, np.ndarray):
        flat = np.ascontiguousarray(value)
        return f"array:{flat.dtype.descr if flat.dtype.names else flat.dtype.str}:{flat.shape}:{_bytes_digest(flat)}"
    if isinstance(value, SpikeTable):
        plan = value.plan
        return f"events:{value.data.name if plan is None else content_token(plan)}"
    if isinstance(value, CheckpointedEvents):
        return f"events:{value.token}"
    if isinstance(value, xr.DataArray):
        return _identity_of_array(value)
    if isinstance(value, xr.Dataset):
        parts = {str(name): _identity_of_array(value[name]) for name in sorted(map(str, value.variables))}
        return f"dataset:{identity_of(parts)}:{identity_of(value.attrs)}"
    token = getattr(value, "token", None)
    if isinstance(token, str):
        return f"{type(value).__name__}:{token}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}={identity_of(value[key])}" for key in sorted(value, key=repr)) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(identity_of(item) for item in value) + "]"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}:{identity_of({f.name: getattr(value, f.name) for f in fields(value)})}"
    raise TypeError(
        f"an argument of type {type(value).__name__} cannot be identified, so what depends on it cannot be kept"
    )


def _identity_of_array(array: xr.DataArray) -> str:
    coordinates = {}
    for name, coordinate in array.coords.items():
        if "time" not in coordinate.dims and name != array.name:  # an hour's time axis would take 864 MB
            coordinates[str(name)] = identity_of(coordinate.values)
    if array.chunks is None:
        values, attributes = identity_of(array.values), identity_of(_identifying_attributes(array.attrs))
        return f"{array.dims}:{values}:{identity_of(coordinates)}:{attributes}"
    plan = plan_of(array.data)
    source = array.data.name if plan is None else content_token(plan)
    known = {name: array.attrs.get(name) for name in ("sampling_frequency", "units")}
    return f"{array.dims}:{array.shape}:{source}:{identity_of(coordinates)}:{identity_of(known)}"


def _identifying_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """The attributes that describe the values; a recording may carry any other annotations too."""
    simple = (*_PLAIN, tuple, list, np.ndarray)
    return {str(name): value for name, value in attributes.items() if isinstance(value, simple) and name != "history"}


def _bytes_digest(array: np.ndarray[Any, Any]) -> str:
    if array.dtype.hasobject:
        return _digest(repr(array.tolist()).encode())
    return _digest(array.tobytes())


def _stored_result(path: Path) -> tuple[Any] | None:
    """The result in a file; None if the file is absent, incomplete, or something else."""
    try:
        stored = read_archive(path)
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, tuple) and len(stored) == 1 else None


@cache
def _code() -> str:
    package = Path(__file__).parents[1]
    return _digest(*(file.read_bytes() for file in sorted(package.rglob("*.py"))), xr.__version__.encode())


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
