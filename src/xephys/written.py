"""Write calls as Python text, such as ``bandpass_filter(freq_min_hz=300.0)``, and read them without running code.

Besides numbers, text, lists and dicts, an argument can be an array, a :class:`xarray.DataArray` or a
:class:`xarray.Dataset`. The values of small arrays are written out; larger arrays are packed.
"""

from __future__ import annotations

import ast
import base64
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf, nan, prod
from typing import Any, TypeAlias

import numpy as np

from .errors import ParameterError

#: Arrays with more values are packed.
N_VALUES_WRITTEN_MAX = 64
#: Lists of arrays with more values together are not written: they are excerpts of traces.
N_VALUES_LISTED_MAX = 4096
#: Arrays with more values are shown as their shape.
N_VALUES_SHOWN_MAX = 8

#: Evaluates ``name(...)`` inside an argument, from its positional and its named arguments.
Reader: TypeAlias = Callable[[tuple[Any, ...], dict[str, Any]], Any]


def write_call(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as text, without the arguments that are None.

    Raises
    ------
    TypeError
        If an argument is of a kind that cannot be written.

    Examples
    --------
    >>> write_call("notch_filter", {"freq_hz": 50.0, "quality": None, "tolerance": np.float64(1e-6)})
    'notch_filter(freq_hz=50.0, tolerance=1e-06)'
    """
    return (
        f"{name}({', '.join(f'{key}={write_value(value)}' for key, value in arguments.items() if value is not None)})"
    )


def read_call(text: str, *, readers: Mapping[str, Reader] | None = None) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a call that :func:`write_call` wrote.

    Parameters
    ----------
    text
        The call.
    readers
        Additional names allowed as calls inside an argument, each with the function that evaluates it.

    Raises
    ------
    ParameterError
        If the text is not a call, or an argument is not a value.

    Examples
    --------
    >>> read_call("notch_filter(freq_hz=50.0)")
    ('notch_filter', {'freq_hz': 50.0})
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParameterError(f"{_short(text)} is not a call that can be read; write name(parameter=value)") from error
    if isinstance(node, ast.Name):
        return node.id, {}
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
        raise ParameterError(f"{_short(text)} is not a call by names; write name(parameter=value)")
    known = {**_READERS, **(readers or {})}
    return node.func.id, {_name_of(keyword, text): _read(keyword.value, known) for keyword in node.keywords}


def show_value(value: Any) -> str:
    """A value in a few characters, for people: arrays by their shape only."""
    plain = (
        isinstance(value, (bool, int, float, str, bytes, tuple, list, slice, np.generic, np.ndarray)) or value is None
    )
    text = ""
    if plain and not (isinstance(value, np.ndarray) and value.size > N_VALUES_SHOWN_MAX):
        with suppress(TypeError):
            text = write_value(value)
    if text and len(text) <= 80:
        return text
    shape = getattr(value, "sizes", None) or getattr(value, "shape", None)
    if shape is None:
        return f"<{type(value).__name__}>"
    return f"<{' × '.join(map(str, shape.values() if isinstance(shape, Mapping) else shape))}>"


def write_value(value: Any) -> str:
    """A value as text that :func:`read_call` reads.

    Raises
    ------
    TypeError
        If it is of a kind that cannot be written.

    Examples
    --------
    >>> write_value([1, np.float32(0.5), "a"]), write_value(np.array([[1, 2]]))
    ("[1, 0.5, 'a']", "array([[1, 2]], '<i8')")
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        if sum(item.size for item in value if isinstance(item, np.ndarray)) > N_VALUES_LISTED_MAX:
            raise TypeError("excerpts of traces cannot be written as text")
        inside = ", ".join(map(write_value, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
    if isinstance(value, slice):
        return f"slice({value.start!r}, {value.stop!r}, {value.step!r})"
    if isinstance(value, Mapping) and not hasattr(value, "data_vars"):
        return "{" + ", ".join(f"{write_value(key)}: {write_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, np.ndarray):
        return _write_array(value)
    if hasattr(value, "data_vars"):
        return f"dataset({_write_variables(value.data_vars)}, {_coordinates(value)}, {_attributes(value)})"
    if hasattr(value, "coords") and hasattr(value, "dims"):
        name = None if value.name is None else str(value.name)
        return (
            f"dataarray({tuple(value.dims)!r}, {write_value(np.asarray(value.values))}, "
            f"{_coordinates(value)}, {_attributes(value)}, {name!r})"
        )
    raise TypeError(f"a {type(value).__name__} cannot be written as text")


def _write_variables(variables: Mapping[Any, Any]) -> str:
    return write_value({str(name): (tuple(v.dims), np.asarray(v.values)) for name, v in variables.items()})


def _coordinates(labelled: Any) -> str:
    """Coordinates along its dimensions; other coordinates of the channels belong to the recording."""
    return _write_variables({dim: labelled.coords[dim] for dim in labelled.dims if dim in labelled.coords})


#: Attributes that say how an estimate was made; they are not part of its values.
_OF_ESTIMATES = ("made_by", "made_on")


def _attributes(labelled: Any) -> str:
    plain = (bool, int, float, str, np.generic)
    own = {str(k): v for k, v in labelled.attrs.items() if k not in _OF_ESTIMATES}
    return write_value({k: v for k, v in own.items() if isinstance(v, plain)})


def _write_array(value: np.ndarray[Any, Any]) -> str:
    if value.dtype.hasobject:
        return f"array({write_value(value.tolist())}, 'O')"
    if value.dtype.names:
        raise TypeError("records cannot be written as text")
    if value.size <= N_VALUES_WRITTEN_MAX and value.dtype.kind in "biufU":
        return f"array({write_value(value.tolist())}, {value.dtype.str!r})"
    packed = base64.b85encode(zlib.compress(np.ascontiguousarray(value).tobytes(), 9)).decode()
    return f"packed({value.dtype.str!r}, {value.shape!r}, {packed!r})"


def _read_array(values: Any, dtype: str) -> np.ndarray[Any, Any]:
    return np.array(values, np.dtype(dtype))


def _read_packed(dtype: str, shape: tuple[int, ...], text: str) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype)
    if kind.hasobject or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("packed values are numbers or text, of a known shape")
    size = prod(shape) * kind.itemsize
    data = zlib.decompressobj().decompress(base64.b85decode(text), size + 1)  # bounded, whatever the text expands to
    if len(data) != size:
        raise ValueError(f"there are {len(data)} bytes packed for {size}")
    return np.frombuffer(data, kind).reshape(shape).copy()


def _read_dataset(variables: Any, coords: Any, attrs: Any) -> Any:
    import xarray as xr

    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _read_dataarray(dims: Any, values: Any, coords: Any, attrs: Any, name: Any) -> Any:
    import xarray as xr

    return xr.DataArray(values, dims=dims, coords=coords, attrs=attrs, name=name)


_READERS: dict[str, Reader] = {
    "array": lambda given, named: _read_array(*given, **named),
    "packed": lambda given, named: _read_packed(*given, **named),
    "slice": lambda given, named: slice(*given, **named),
    "dataset": lambda given, named: _read_dataset(*given, **named),
    "dataarray": lambda given, named: _read_dataarray(*given, **named),
}
_NAMED_NUMBERS = {"inf": inf, "nan": nan}


def _read(node: ast.expr, readers: Mapping[str, Reader]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NAMED_NUMBERS:
        return _NAMED_NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_read(node.operand, readers)
    if isinstance(node, ast.List):
        return [_read(item, readers) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_read(item, readers) for item in node.elts)
    if isinstance(node, ast.Dict):
        keys = [None if key is None else _read(key, readers) for key in node.keys]
        return dict(zip(keys, (_read(value, readers) for value in node.values), strict=True))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in readers:
        given = tuple(_read(item, readers) for item in node.args)
        named = {_name_of(keyword, ast.unparse(node)): _read(keyword.value, readers) for keyword in node.keywords}
        try:
            return readers[node.func.id](given, named)
        except (TypeError, ValueError, zlib.error) as error:
            if isinstance(error, ParameterError):
                raise
            raise ParameterError(f"{_short(ast.unparse(node))} cannot be read: {error}") from error
    raise ParameterError(f"{_short(ast.unparse(node))} is not a value; only numbers, text, lists and arrays are read")


def _name_of(keyword: ast.keyword, text: str) -> str:
    if keyword.arg is None:
        raise ParameterError(f"{_short(text)} has ** in it; write each parameter by its name")
    return keyword.arg


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
