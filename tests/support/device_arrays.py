"""A device for machines without one: arrays as strict as CuPy's, backed by NumPy, that count every copy.

Such an array is never mistaken for a NumPy array: a mixture of host and device arrays, an implicit conversion, or a
function that CuPy lacks raises an error, as it would with CuPy. What a device would do in an operation of its own is
counted as well. Importable by name.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xephys.kernels.lib import dispatch

#: Functions of CuPy 14 that the kernels may use.
FUNCTIONS = {
    "abs", "arange", "argsort", "asarray", "broadcast_to", "concatenate", "cumsum", "empty", "full", "isnan", "matmul",
    "maximum", "median", "minimum", "nonzero", "ones", "rint", "searchsorted", "sort", "sqrt", "where", "zeros",
    "fft.irfft", "fft.rfft",
}  # fmt: skip


#: Functions and methods that start nothing on a device: they reserve memory, or look at it in another way.
VIEWS = {"asarray", "broadcast_to", "empty", "ravel", "reshape", "transpose", "view"}


@dataclass
class Copies:
    """Copies between host and device: (dtype, shape) of arrays up and down, and how many single numbers down.

    ``launches`` is the number of operations that a device would be told to do: functions, operators, gathering by an
    array of indices, assignments, and simulated kernels.
    """

    up: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    down: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    numbers: int = 0
    launches: int = 0


copies = Copies()


class StrictArray:
    """An array that behaves as if it were on a device."""

    __array_ufunc__ = None  # NumPy's operators defer to ours, and its functions raise an error
    __slots__ = ("_host",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: Any) -> None:
        self._host = np.asarray(host)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("implicit conversion of a device's array to NumPy")

    def get(self) -> Any:
        copies.down.append((self._host.dtype.str, self._host.shape))
        return self._host.copy()

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    flags = property(lambda self: self._host.flags)
    T = property(lambda self: StrictArray(self._host.T))

    def __len__(self) -> int:
        return len(self._host)

    def __getitem__(self, index: Any) -> StrictArray:
        copies.launches += any(
            isinstance(part, StrictArray) for part in (index if isinstance(index, tuple) else (index,))
        )
        return StrictArray(self._host[_plain(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        copies.launches += 1
        self._host[_plain(index)] = _plain(value)

    def _number(self, kind: type) -> Any:
        copies.numbers += 1
        return kind(self._host)

    def __int__(self) -> int:
        return self._number(int)

    def __float__(self) -> float:
        return self._number(float)

    def __bool__(self) -> bool:
        return self._number(bool)

    def __iter__(self) -> Any:
        raise TypeError("iteration over a device's array copies it number by number")


def _plain(value: Any) -> Any:
    """An argument as NumPy takes it; NumPy arrays are refused."""
    if isinstance(value, StrictArray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError("a NumPy array among the arguments of a device's function")
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(item) for item in value)
    return value


def _wrapped(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_wrapped, value))
    return StrictArray(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _binary(name: str) -> Any:
    function = getattr(operator, name.strip("_") if name.strip("_") not in ("and", "or") else name)

    def forward(self: StrictArray, other: Any) -> Any:
        copies.launches += 1
        return _wrapped(function(self._host, _plain(other)))

    def backward(self: StrictArray, other: Any) -> Any:
        copies.launches += 1
        return _wrapped(function(_plain(other), self._host))

    def in_place(self: StrictArray, other: Any) -> StrictArray:
        copies.launches += 1
        # NumPy's own operator keeps the shape and type of the array that is changed.
        getattr(self._host, f"__i{name.strip('_')}__")(_plain(other))
        return self

    return forward, backward, in_place


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or"):
    _forward, _backward, _in_place = _binary(f"__{_name}__")
    setattr(StrictArray, f"__{_name}__", _forward)
    setattr(StrictArray, f"__r{_name}__", _backward)
    setattr(StrictArray, f"__i{_name}__", _in_place)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(StrictArray, f"__{_name}__", _binary(f"__{_name}__")[0])
for _function in (operator.neg, operator.abs, operator.invert):

    def _unary(self: StrictArray, *, _function: Any = _function) -> Any:
        copies.launches += 1
        return _wrapped(_function(self._host))

    setattr(StrictArray, f"__{_function.__name__.strip('_')}__", _unary)
METHODS = (
    "all", "any", "argmax", "astype", "copy", "max", "mean", "min", "ravel", "reshape", "sum", "transpose", "view",
)  # fmt: skip
for _name in METHODS:

    def _method(self: StrictArray, *args: Any, _name: str = _name, **keywords: Any) -> Any:
        unchanged = _name == "astype" and not keywords.get("copy", True) and self.dtype == np.dtype(args[0])
        copies.launches += _name not in VIEWS and not unchanged
        return _wrapped(getattr(self._host, _name)(*_plain(args), **keywords))

    setattr(StrictArray, _name, _method)


def _out_of_memory(n_bytes: int) -> MemoryError:
    """The error of CuPy 14 for an array that does not fit: its class is known by its name and module."""
    kind = type("OutOfMemoryError", (MemoryError,), {"__module__": "cupy.cuda.memory"})
    return kind(f"Out of memory allocating {n_bytes:,} bytes (allocated so far: 0 bytes).")


class Namespace:
    """NumPy's functions on strict arrays, limited to those that CuPy has.

    Arrays of more than ``bytes_max`` do not fit into the device's memory.
    """

    def __init__(self, prefix: str = "", *, bytes_max: float = math.inf) -> None:
        self._prefix, self._bytes_max = prefix, bytes_max

    def __getattr__(self, name: str) -> Any:
        if name == "fft":
            return Namespace("fft.")
        if self._prefix + name not in FUNCTIONS:
            raise AttributeError(f"{self._prefix}{name} is not among the functions that kernels on devices may use")
        function = getattr(np.fft if self._prefix else np, name)

        def call(*args: Any, **keywords: Any) -> Any:
            copies.launches += name not in VIEWS
            return _wrapped(function(*map(_plain, args), **keywords))

        return call

    def asarray(self, array: Any) -> StrictArray:
        if isinstance(array, StrictArray):
            return array
        if array.nbytes > self._bytes_max:
            raise _out_of_memory(array.nbytes)
        copies.up.append((array.dtype.str, array.shape))
        return StrictArray(np.array(array))


class LikeCupy(Namespace):
    """A namespace that passes for CuPy's, so that kernels written for CUDA run on its arrays; see `simulating`."""

    __name__ = "cupy"


strict, like_cupy = Namespace(), LikeCupy()
#: Namespaces with which kernels are tested: NumPy shows errors of the kernel, the strict one what CuPy would refuse.
NAMESPACES = {"numpy": np, "strict": strict}


@contextmanager
def counted() -> Iterator[Copies]:
    """Copies made inside the context."""
    global copies
    outer, copies = copies, Copies()
    try:
        yield copies
    finally:
        copies = outer


@contextmanager
def simulating(monkeypatch: Any) -> Iterator[Copies]:
    """Let Numba's simulator run kernels on the strict arrays of `like_cupy`, and count them with all else."""
    from numba.cuda.simulator.kernel import FakeCUDAKernel

    from xephys.kernels.lib import cuda

    call = FakeCUDAKernel.__call__

    def launched(kernel: Any, *args: Any) -> Any:
        copies.launches += not kernel._device
        return call(kernel, *args)

    monkeypatch.setattr(FakeCUDAKernel, "__call__", launched)
    monkeypatch.setattr(cuda, "_for_numba", lambda array: array._host if isinstance(array, StrictArray) else array)
    with installed("like_cupy", like_cupy), counted() as found:
        yield found


@contextmanager
def installed(name: str = "strict", namespace: Namespace = strict) -> Iterator[str]:
    """Register the device under the name that is yielded, even in place of a real one."""
    before = dispatch._KINDS.get(name)
    dispatch.register_device(name, package=__name__.split(".")[0], load=lambda: namespace)
    try:
        yield name
    finally:
        dispatch.forget_device(name)
        if before is not None:
            dispatch.register_device(name, package=before.package, load=before.load)
