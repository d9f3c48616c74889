"""Make and fill arrays inside kernels by code that is part of the kernel.

Numba compiles NumPy's functions of these names as functions of their own, again for each type and number of axes, and
twice for zeros. On a machine without compiled kernels that takes a sixth of the time of compiling all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable
from numba.np import arrayobj
from numpy.typing import DTypeLike, NDArray

from xephys.kernels.lib.inner import inner

# Numba has no annotations.
_arrays: Any = arrayobj
_code: Any = cgutils
_lowers: Any = lower_builtin
#: Number of values, or a tuple of the lengths of the axes; kernels know no narrower type.
Shape = Any


def empty(shape: Shape, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """As `numpy.empty`.

    Examples
    --------
    >>> empty((2, 3), np.int32).shape
    (2, 3)
    """
    return np.empty(shape, dtype)


def zeros(shape: Shape, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """As `numpy.zeros`.

    Examples
    --------
    >>> zeros(2)
    array([0., 0.])
    """
    return np.zeros(shape, dtype)


def full(shape: Shape, value: float, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """As `numpy.full`, but for its type, which is float64 unless given.

    Examples
    --------
    >>> full(2, 7, np.int64)
    array([7, 7])
    """
    return np.full(shape, value, dtype)


def grown(values: NDArray[Any], size: int) -> NDArray[Any]:
    """A longer array that begins with the given values, of one axis.

    Examples
    --------
    >>> grown(np.array([1, 2]), 4)[:2]
    array([1, 2])
    """
    longer = np.empty(size, values.dtype)
    longer[: len(values)] = values
    return longer


@inner
def copy_values(values: NDArray[Any], out: NDArray[Any]) -> None:
    """``out[:] = values`` for arrays of one axis and length, unchecked.

    Into each kernel with an assignment of that form, Numba compiles how the message for different lengths is composed,
    which takes longer than a kernel of average length.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.zeros(2)
    >>> copy_values.py_func(np.ones(2), out)
    >>> out.tolist()
    [1.0, 1.0]
    """
    for i in range(len(out)):
        out[i] = values[i]


def _array_type(shape: Any, dtype: Any) -> Any:
    """Numba's type of the new array, or none if one of its arguments cannot be typed."""
    kind = types.float64 if dtype is None else _arrays.ty_parse_dtype(dtype)
    n_axes = _arrays.ty_parse_shape(shape)
    return None if kind is None or n_axes is None else types.Array(kind, n_axes, "C")


def _type_unfilled(context: Any) -> Any:
    return lambda shape, dtype=None: _array_type(shape, dtype)


def _type_full(context: Any) -> Any:
    return lambda shape, value, dtype=None: _array_type(shape, dtype)


def _type_grown(context: Any) -> Any:
    return lambda values, size: values if values.ndim == 1 and values.is_c_contig and values.mutable else None


def _allocated(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    shape = _arrays._parse_shape(context, builder, signature.args[0], args[0])
    return _arrays._empty_nd_impl(context, builder, signature.return_type, shape)


def _lower_empty(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _allocated(context, builder, signature, args)._getvalue()


def _lower_zeros(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = _allocated(context, builder, signature, args)
    _code.memset(builder, array.data, builder.mul(array.itemsize, array.nitems), 0)
    return array._getvalue()


def _lower_full(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = _allocated(context, builder, signature, args)
    dtype = signature.return_type.dtype
    value = context.get_value_as_data(builder, dtype, context.cast(builder, args[1], signature.args[1], dtype))
    with _code.for_range(builder, array.nitems) as loop:
        builder.store(value, builder.gep(array.data, [loop.index]))
    return array._getvalue()


def _lower_grown(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = _allocated(context, builder, signature.return_type(signature.args[1]), args[1:])
    values = context.make_array(signature.args[0])(context, builder, args[0])
    _code.raw_memcpy(builder, array.data, values.data, values.nitems, values.itemsize)
    return array._getvalue()


type_callable(empty)(_type_unfilled)
type_callable(zeros)(_type_unfilled)
type_callable(full)(_type_full)
type_callable(grown)(_type_grown)
for _dtype in ((), (types.Any,)):
    _lowers(empty, types.Any, *_dtype)(_lower_empty)
    _lowers(zeros, types.Any, *_dtype)(_lower_zeros)
    _lowers(full, types.Any, types.Any, *_dtype)(_lower_full)
_lowers(grown, types.Array, types.Any)(_lower_grown)
