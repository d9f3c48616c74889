"""Choose the kernel for a chunk by the type of its array, when an array of that type first appears.

A kernel for NumPy arrays has a twin for device arrays. The twin is written once, in terms of the functions that NumPy
and CuPy share, and receives the namespace of its arrays. Nothing here imports CuPy: a device is registered by the
package of its arrays, and loaded when the first such array arrives (as in Dask and dask-image).
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
    """A kind of device, with its arrays.

    Attributes
    ----------
    package
        Top-level package of the array's type.
    load
        Returns the namespace of functions on such arrays; raises `ParameterError` if the device does not exist.
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
    """Register a kind of device without loading it.

    Parameters
    ----------
    name
        Name for users, such as ``"cuda"``.
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
    """The namespace of functions on a device's arrays, by the device's name.

    Raises
    ------
    ParameterError
        If the device does not exist, or a package it needs is not installed.

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
    """The namespace of functions on an array's device, chosen by its type; None for other arrays.

    Examples
    --------
    >>> namespace_of(np.zeros(3)) is None
    True
    """
    kind: Any = type(array)
    return None if isinstance(array, np.ndarray) else _namespace_of_type(kind)


def with_device_twin(kernel: Callable[P, R]) -> Callable[P, R]:
    """Give a kernel a twin that replaces it if the first argument is a device array.

    The twin of ``kernels/room/file.py:name`` is ``kernels/room/file_device.py:name``, imported when the first such
    array arrives. It takes the arrays' namespace, followed by the kernel's parameters.
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


def fills_float32(fill: Callable[..., None]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a pointwise kernel that has a version for the host, ``fill(traces, out, **parameters)``.

    That version writes float32 rows into a given array, so that one call serves a whole tile without new memory.
    """

    def mark(kernel: Callable[P, R]) -> Callable[P, R]:
        kernel.fill_float32 = fill  # type: ignore[attr-defined]
        return kernel

    return mark


def overwrites(kernel: Callable[P, R]) -> Callable[P, R]:
    """Mark an event kernel that needs no copy of the traces if it is called with ``overwrite=True``.

    A run on the CPU says so to the last kernel that reads a tile's traces, if they were made for that tile alone.
    """
    kernel.can_overwrite = True  # type: ignore[attr-defined]
    return kernel


def twin_of(kernel: Callable[..., R]) -> Callable[..., R]:
    """The function of the same name in the kernel's companion file, which ends in ``_device``."""
    twin: Callable[..., R] = getattr(import_module(f"{kernel.__module__}_device"), kernel.__name__)
    return twin


def runs_on_devices(kernel: Callable[P, R]) -> Callable[P, R]:
    """Mark a kernel that accepts device arrays; after ``to_device``, a plan refuses kernels without this mark."""
    kernel.runs_on_devices = True  # type: ignore[attr-defined]
    return kernel


def to_host(array: Any) -> Any:
    """A NumPy array from any array."""
    return array if isinstance(array, np.ndarray) else array.get()


_resident: dict[tuple[Any, ...], tuple[list[Any], Any]] = {}
_resident_lock = Lock()


def resident(xp: Any, build: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    """Tables that a kernel needs besides the samples, built on the host and moved to the device once.

    Stages pass the same arrays to every tile. The tables built from them are therefore kept, under the identity of the
    arrays, for as long as these live; comparing contents would take longer than the kernel.

    Parameters
    ----------
    xp
        Namespace of the device.
    build
        Module-level function that builds a NumPy array, or a tuple of them, from ``arrays`` and ``options``.
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
        tables.pop(key, None)  # bound as a default, because module globals may be gone at exit

    guards = [ref(array, forget) for array in arrays if array is not None]
    with _resident_lock:
        _resident[key] = (guards, moved)
    return moved


def as_it_is(array: Any) -> Any:
    """Builder for `resident` of a table that is used unchanged."""
    return array


def as_index(array: Any) -> Any:
    """Builder for `resident` of a table of indices, in the type used for all indices."""
    return array.astype(np.int64)


def to_device(traces: Any, *, before: int = 0, after: int = 0, device: str) -> Any:
    """Move traces to a device in their stored type; traces that are already there stay.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Number of rows to leave out.
    device
        Name of the device.

    Returns
    -------
    The device array, of shape (n, channel).

    Raises
    ------
    ParameterError
        If there is no such device.
    """
    xp = namespace_of_device(device)
    part = traces[before : len(traces) - after]
    if not hasattr(xp, "cuda") or not isinstance(part, np.ndarray):
        return xp.asarray(part)
    # CuPy's asarray would first copy to page-locked memory, where `staged` has already put the samples.
    moved = xp.empty(part.shape, part.dtype)
    moved.set(np.ascontiguousarray(part))
    return moved


def staged(traces: NDArray[Any], *, device: str) -> NDArray[Any]:
    """A copy of the samples in memory from which a device reads fastest, made while the device is busy.

    It is page-locked if the device's package supports that. Memory-mapped files are read here.
    """
    copy = _fast_memory(namespace_of_device(device), traces.shape, traces.dtype)
    copy[...] = traces
    return copy


def fetched(array: Any) -> NDArray[Any]:
    """Traces as a NumPy array, in memory to which a device writes fastest."""
    xp = namespace_of(array)
    if not hasattr(xp, "cuda"):
        return to_host(array)  # type: ignore[no-any-return]
    return array.get(out=_fast_memory(xp, array.shape, array.dtype))  # type: ignore[no-any-return]


def _fast_memory(xp: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array in page-locked memory, if the device's package has any."""
    if not hasattr(xp, "cuda"):
        return np.empty(shape, dtype)
    size = int(np.prod(shape))
    memory = xp.cuda.alloc_pinned_memory(max(size * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, size).reshape(shape)


to_device.staged, to_device.fetched = staged, fetched  # type: ignore[attr-defined]
runs_on_devices(to_device)
