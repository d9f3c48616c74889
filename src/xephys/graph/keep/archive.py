"""Store values as one ``.npz`` of arrays and a text that holds their structure: data only, never code.

Unlike a pickle, such a file can be read safely whoever wrote it. It holds numbers, strings, arrays, tuples, lists,
dicts, labelled arrays, and dataclasses declared with :func:`storable`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from xarray.indexes import PandasIndex

from ..plan import Array

T = TypeVar("T")

#: Name of the structure's text among the arrays.
_TREE = "tree"
_KINDS = "biufcSUmM"
_STORABLE: dict[str, type[Any]] = {}


class NotStorable(TypeError):
    """A value that is not made of plain data alone."""


def storable(cls: type[T]) -> type[T]:
    """Declare a dataclass as storable; its constructor must do nothing but store its fields."""
    _STORABLE[_name(cls)] = cls
    return cls


def write_archive(file: Any, value: Any) -> None:
    """Write a value to an open binary file.

    Raises
    ------
    NotStorable
        If part of it is neither plain data nor an array; nothing is written then.
    TypeError
        If part of it is a dataclass that was not declared as storable.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_archive(file, {"a": (1, 2.5), "b": np.arange(3)})
    >>> _ = file.seek(0)
    >>> read_archive(file)
    {'a': (1, 2.5), 'b': array([0, 1, 2])}
    """
    arrays: dict[str, Array] = {}
    tree = json.dumps(_encoded(value, arrays))
    members: dict[str, Any] = {_TREE: np.frombuffer(tree.encode("utf8"), np.uint8), **arrays}
    np.savez(file, **members)


def read_archive(file: Any) -> Any:
    """Read the value in a file, given as a path or an open file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not such a file, is incomplete, or names a class that is not declared as storable.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return _decoded(json.loads(arrays.pop(_TREE).tobytes().decode("utf8")), arrays)
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"not an archive of values: {error}") from error


def _encoded(value: Any, arrays: dict[str, Array]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [_encoded(item, arrays) for item in value]
    if isinstance(value, tuple) and type(value) is tuple:
        return {"tuple": [_encoded(item, arrays) for item in value]}
    if isinstance(value, Mapping) and not isinstance(value, xr.Dataset):
        return {"dict": [[_encoded(key, arrays), _encoded(item, arrays)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"bytes": _put(np.frombuffer(value, np.uint8), arrays)}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return {
            "objects": [_encoded(item, arrays) for item in value.ravel().tolist()],
            "shape": list(value.shape),
        }
    if isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, np.ma.MaskedArray):
        return {"array" if isinstance(value, np.ndarray) else "scalar": _put(np.asarray(value), arrays)}
    if isinstance(value, xr.DataArray):
        name = None if value.name is None else str(value.name)
        return {"labelled": name, **_packed_labels(value, arrays), **_packed_variable(value.variable, arrays)}
    if isinstance(value, xr.Dataset):
        own = [[_encoded(name, arrays), _packed_variable(value.variables[name], arrays)] for name in value.data_vars]
        return {"dataset": own, **_packed_labels(value, arrays), "attrs": _encoded(dict(value.attrs), arrays)}
    if type(value) is _STORABLE.get(_name(type(value))):
        own = [[field.name, _encoded(getattr(value, field.name), arrays)] for field in fields(value)]
        return {"class": _name(type(value)), "fields": own}
    if is_dataclass(value):
        raise TypeError(f"{_name(type(value))} is kept in a file and is not declared for it; decorate it with storable")
    raise NotStorable(f"a {type(value).__name__} is not made of data alone")


def _put(array: Array, arrays: dict[str, Array]) -> str:
    plain = array.dtype.kind in _KINDS or (array.dtype.names is not None and not array.dtype.hasobject)
    if not plain:
        raise NotStorable(f"an array of {array.dtype} is not made of data alone")
    name = f"array_{len(arrays)}"
    arrays[name] = array
    return name


def _packed_variable(variable: xr.Variable, arrays: dict[str, Array]) -> dict[str, Any]:
    if variable.chunks is not None:
        raise NotStorable("a lazy array is not made of data alone; compute it")
    return {
        "dims": list(map(str, variable.dims)),
        "values": _encoded(np.asarray(variable.values), arrays),
        "attrs": _encoded(dict(variable.attrs), arrays),
    }


def _packed_labels(value: xr.DataArray | xr.Dataset, arrays: dict[str, Array]) -> dict[str, Any]:
    """The coordinates, provided that their indexes can be rebuilt from them."""
    for name, index in value.xindexes.items():
        if type(index) is not PandasIndex or value.coords[name].dims != (name,):
            raise NotStorable(f"the coordinate {name!r} has a {type(index).__name__}, which is not stored")
    if any(name in value.dims and name not in value.xindexes for name in value.coords):
        raise NotStorable("a coordinate of a dimension without an index is not stored")
    return {"coords": [[str(name), _packed_variable(c.variable, arrays)] for name, c in value.coords.items()]}


def _decoded(tree: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(tree, list):
        return [_decoded(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "tuple" in tree:
        return tuple(_decoded(item, arrays) for item in tree["tuple"])
    if "dict" in tree:
        return {_decoded(key, arrays): _decoded(item, arrays) for key, item in tree["dict"]}
    if "bytes" in tree:
        return arrays[tree["bytes"]].tobytes()
    if "objects" in tree:
        items = [_decoded(item, arrays) for item in tree["objects"]]
        out = np.empty(len(items), object)
        for k, item in enumerate(items):  # one by one: NumPy would turn lists into rows
            out[k] = item
        return out.reshape(tree["shape"])
    if "array" in tree:
        return arrays[tree["array"]]
    if "scalar" in tree:
        return arrays[tree["scalar"]][()]
    if "labelled" in tree:
        own = _unpacked_variable(tree, arrays)
        coordinates = {name: _unpacked_variable(c, arrays) for name, c in tree["coords"]}
        return xr.DataArray(own, coords=coordinates, name=tree["labelled"])
    if "dataset" in tree:
        variables = {_decoded(name, arrays): _unpacked_variable(v, arrays) for name, v in tree["dataset"]}
        coordinates = {name: _unpacked_variable(c, arrays) for name, c in tree["coords"]}
        return xr.Dataset(variables, coords=coordinates, attrs=_decoded(tree["attrs"], arrays))
    if "class" in tree:
        cls = _STORABLE[tree["class"]]
        own_fields = {name: _decoded(item, arrays) for name, item in tree["fields"]}
        if set(own_fields) != {field.name for field in fields(cls)}:
            raise ValueError(f"{tree['class']} has other fields now")
        return cls(**own_fields)
    raise ValueError(f"nothing is known as {', '.join(map(str, tree))[:80]}")


def _unpacked_variable(tree: Mapping[str, Any], arrays: Mapping[str, Array]) -> xr.Variable:
    return xr.Variable(tree["dims"], _decoded(tree["values"], arrays), _decoded(tree["attrs"], arrays))


def _name(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
