"""Which kernel runs on a chunk: decided by the type of its array, and looked up when such an array first appears.

A kernel for NumPy arrays names its twin for arrays on a device, by module and name. The twin is written once, against
the functions that NumPy and CuPy share, and is given the namespace that its arrays belong to. Nothing here imports
CuPy: a device is registered by the package that its arrays come from, and loaded by the first array of that package
(as Dask and dask-image do).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from types import FunctionType
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from xephys.errors import ParameterError

P = ParamSpec("P")
R = TypeVar("R")


class DeviceKind(NamedTuple):
    """Arrays of one kind of device.

    Attributes
    ----------
    package
        Top-level package of the array's type.
    load
        Gives the namespace of functions on such arrays; raises `ParameterError` if there is no such device.
    """

    package: str
    load: Callable[[], Any]


def _load_cuda() -> Any:
    if find_spec("cupy") is None:
        raise ParameterError(
            "device 'cuda' needs CuPy, which is not installed: pip install 'xephys[gpu]', or use --device cpu "
            '(device="cpu")'
        )
    import cupy  # type: ignore[import-not-found,import-untyped,unused-ignore]

    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise ParameterError(
            f'CuPy finds no CUDA device: {error}; install a driver, or use --device cpu (device="cpu")'
        ) from error
    if count == 0:
        raise ParameterError('CuPy finds no CUDA device; use --device cpu (device="cpu")')
    return cupy


_KINDS: dict[str, DeviceKind] = {"cuda": DeviceKind("cupy", _load_cuda)}


def register_device(name: str, *, package: str, load: Callable[[], Any]) -> None:
    """Make a kind of device known; nothing is loaded yet.

    Parameters
    ----------
    name
        What users write, such as ``"cuda"``.
    package
        Top-level package of the types of its arrays.
    load
        Called once, on first use; returns the namespace of functions on such arrays.
    """
    _KINDS[name] = DeviceKind(package, load)
    namespace_of_device.cache_clear()
    _namespace_of_type.cache_clear()


def forget_device(name: str) -> None:
    """Undo `register_device`."""
    del _KINDS[name]
    namespace_of_device.cache_clear()
    _namespace_of_type.cache_clear()


@cache
def namespace_of_device(name: str) -> Any:
    """The functions on arrays of a device, by the device's name.

    Raises
    ------
    ParameterError
        If there is no such device, or what it needs is not installed.

    Examples
    --------
    >>> namespace_of_device("abacus")
    Traceback (most recent call last):
        ...
    xephys.errors.ParameterError: device is 'abacus'; it must be one of 'cpu', 'cuda'
    """
    if name not in _KINDS:
        known = ", ".join(map(repr, ["cpu", *_KINDS]))
        raise ParameterError(f"device is {name!r}; it must be one of {known}")
    return _KINDS[name].load()


@cache
def _namespace_of_type(kind: Any) -> Any:
    package = kind.__module__.split(".")[0]
    for name, device in _KINDS.items():
        if device.package == package:
            return namespace_of_device(name)
    return None


def namespace_of(array: Any) -> Any:
    """The functions on a device's array, by its type; None for other arrays.

    Examples
    --------
    >>> namespace_of(np.zeros(3)) is None
    True
    """
    kind: Any = type(array)
    return None if isinstance(array, np.ndarray) else _namespace_of_type(kind)


def with_device_twin(kernel: Callable[P, R]) -> Callable[P, R]:
    """Give a kernel a twin that takes its place where the first argument is a device's array.

    The twin of ``kernels/room/file.py:name`` is ``kernels/room/file_device.py:name``, imported when the first such
    array comes. It has the kernel's parameters, after the arrays' namespace.
    """

    @wraps(kernel)
    def dispatched(*args: P.args, **keywords: P.kwargs) -> R:
        if not isinstance(args[0], np.ndarray):
            xp = namespace_of(args[0])
            if xp is not None:
                return twin_of(kernel)(xp, *args, **keywords)
        return kernel(*args, **keywords)

    dispatched.has_device_twin = True  # type: ignore[attr-defined]
    return runs_on_devices(dispatched)


def twin_of(kernel: Callable[..., R]) -> Callable[..., R]:
    """The function of a kernel's name in the file beside the kernel's that ends in ``_device``."""
    twin: Callable[..., R] = getattr(import_module(f"{kernel.__module__}_device"), kernel.__name__)
    return twin


def runs_on_devices(kernel: Callable[P, R]) -> Callable[P, R]:
    """Mark a kernel that takes a device's arrays too; a plan refuses others behind ``to_device``."""
    kernel.runs_on_devices = True  # type: ignore[attr-defined]
    return kernel


def to_host(array: Any) -> Any:
    """A NumPy array from any array."""
    return array if isinstance(array, np.ndarray) else array.get()


_resident: dict[tuple[Any, ...], tuple[list[Any], Any]] = {}
_resident_lock = Lock()


def resident(xp: Any, build: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    """Tables that a kernel needs beside the samples, made on the host and moved to the device once.

    Stages hand the same arrays to every tile. So what is made of them is kept for as long as they live, under their
    identity: comparing contents would take longer than the kernel.

    Parameters
    ----------
    xp
        Namespace of the device.
    build
        Module-level function that makes a NumPy array, or a tuple of them, from ``arrays`` and ``options``.
    *arrays
        NumPy arrays, or None.
    **options
        Numbers and strings.
    """
    assert isinstance(build, FunctionType)
    key = (id(xp), build, tuple(map(id, arrays)), tuple(sorted(options.items())))
    with _resident_lock:
        if key in _resident:
            return _resident[key][1]
    made = build(*arrays, **options)
    moved = tuple(map(xp.asarray, made)) if isinstance(made, tuple) else xp.asarray(made)

    def forget(_: Any, tables: dict[tuple[Any, ...], Any] = _resident) -> None:
        tables.pop(key, None)  # a default, for at exit the module's own names may be gone

    guards = [ref(array, forget) for array in arrays if array is not None]
    with _resident_lock:
        _resident[key] = (guards, moved)
    return moved


def as_it_is(array: Any) -> Any:
    """What `resident` keeps of a table that needs no other form."""
    return array


def as_index(array: Any) -> Any:
    """What `resident` keeps of a table of places: in the type of all other places."""
    return array.astype(np.int64)


def to_device(traces: Any, *, before: int = 0, after: int = 0, device: str) -> Any:
    """Move traces to a device, in the type they are stored in; they stay where they are if they are there already.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out.
    device
        Name of the device.

    Returns
    -------
    The device's own array, of shape (n, channel).

    Raises
    ------
    ParameterError
        If there is no such device.
    """
    xp = namespace_of_device(device)
    part = traces[before : len(traces) - after]
    if not hasattr(xp, "cuda") or not isinstance(part, np.ndarray):
        return xp.asarray(part)
    # CuPy's own asarray copies to page-locked memory first, where `staged` has put the samples already.
    moved = xp.empty(part.shape, part.dtype)
    moved.set(np.ascontiguousarray(part))
    return moved


def staged(traces: NDArray[Any], *, device: str) -> NDArray[Any]:
    """A copy of samples in memory from which a device fetches them fastest; made while the device is busy.

    Page-locked where the device's package has it. Files that are mapped are read here.
    """
    xp = namespace_of_device(device)
    copy = np.empty(traces.shape, traces.dtype)
    if hasattr(xp, "cuda"):
        memory = xp.cuda.alloc_pinned_memory(max(traces.nbytes, 1))
        copy = np.frombuffer(memory, traces.dtype, traces.size).reshape(traces.shape)
    copy[...] = traces
    return copy


to_device.staged = staged  # type: ignore[attr-defined]
runs_on_devices(to_device)
