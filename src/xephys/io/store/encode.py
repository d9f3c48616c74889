"""Arrays, plans and attributes as plain JSON: what makes a lazy recording survive a text file.

A plan over files is fully declarative: paths, numbers, names of module-level kernels, and its arrays in base64. A plan
over data in memory is not, and says so.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import io
import json
import pickle
from typing import Any

import numpy as np

from ...graph.plan import Plan, Source, Stage, regular_chunks
from ...graph.tasks import DaskSource


class NotDeclarative(TypeError):
    """The object holds data in memory or code without a name, and cannot be written as JSON."""


def encode_array(values: Any) -> dict[str, Any]:
    """An array of any dtype as JSON, to the bit."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        listed = array.tolist()
        try:
            if json.loads(json.dumps(listed)) == listed:
                return {"dtype": "object", "values": listed}
        except (TypeError, ValueError):
            pass
        return {"dtype": "pickle", "data": _text(pickle.dumps(array))}
    if array.dtype.kind in "US":
        text = array.astype(str) if array.dtype.kind == "S" else array
        return {"dtype": array.dtype.str, "values": text.tolist()}
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return {"dtype": "npy", "data": _text(buffer.getvalue())}


def decode_array(encoded: dict[str, Any]) -> Any:
    """The array that ``encode_array`` was given."""
    kind = encoded["dtype"]
    if kind == "npy":
        return np.load(io.BytesIO(base64.b64decode(encoded["data"])), allow_pickle=False)
    if kind == "pickle":
        return pickle.loads(base64.b64decode(encoded["data"]))
    if kind == "object":
        out = np.empty(len(encoded["values"]), object)
        out[:] = encoded["values"]
        return out
    return np.array(encoded["values"], dtype=kind)


def plain(value: Any) -> Any:
    """Attributes as JSON can hold them: NumPy scalars and arrays become numbers and lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def encode_plan(plan: Plan) -> dict[str, Any]:
    """A plan as JSON.

    Raises
    ------
    NotDeclarative
        If its source is an array in memory, or one of its kernels has no importable name.
    """
    return {
        "source": _encode_source(plan.source),
        "sampling_frequency": plan.sampling_frequency,
        "start": plan.start,
        "n_samples": plan.n_samples,
        "chunk_samples": max(max(plan.chunks, default=1), 1),
        "tile_samples": plan.tile_samples,
        "stages": [_encode_stage(stage) for stage in plan.stages],
    }


def decode_plan(encoded: dict[str, Any]) -> Plan:
    """The plan that ``encode_plan`` was given, in equal chunks."""
    return Plan(
        source=_decode_source(encoded["source"]),
        sampling_frequency=float(encoded["sampling_frequency"]),
        start=int(encoded["start"]),
        chunks=regular_chunks(int(encoded["n_samples"]), int(encoded["chunk_samples"])),
        tile_samples=int(encoded["tile_samples"]),
        stages=tuple(_decode_stage(stage) for stage in encoded["stages"]),
    )


def _encode_source(source: Source) -> dict[str, Any]:
    if isinstance(source, DaskSource):
        raise NotDeclarative(
            "the recording is computed from an array in memory (or from arithmetic on one) and cannot be written as "
            "JSON; save_recording it first, or use pickle, which takes the data along"
        )
    if not dataclasses.is_dataclass(source):
        return {"pickle": _text(pickle.dumps(source))}
    fields = {field.name: getattr(source, field.name) for field in dataclasses.fields(source) if field.init}
    try:
        return {"class": _import_name(type(source)), "fields": {k: _encode_plain(v) for k, v in fields.items()}}
    except NotDeclarative:
        return {"pickle": _text(pickle.dumps(source))}


def _decode_source(encoded: dict[str, Any]) -> Source:
    source: Source
    if "pickle" in encoded:
        source = pickle.loads(base64.b64decode(encoded["pickle"]))
    else:
        source = _imported(encoded["class"])(**{k: _decode_plain(v) for k, v in encoded["fields"].items()})
    return source


def _encode_stage(stage: Stage) -> dict[str, Any]:
    return {
        "func": _import_name(stage.func),
        "dtype": encode_array(np.empty(0, stage.dtype)),
        "parameters": {key: _encode_plain(value) for key, value in stage.parameters.items()},
        "arrays": {key: encode_array(value) for key, value in stage.arrays.items()},
        "before": stage.before,
        "after": stage.after,
        "emits": stage.emits,
        "n_channels": stage.n_channels,
    }


def _decode_stage(encoded: dict[str, Any]) -> Stage:
    return Stage(
        func=_imported(encoded["func"]),
        dtype=decode_array(encoded["dtype"]).dtype,
        parameters={key: _decode_plain(value) for key, value in encoded["parameters"].items()},
        arrays={key: decode_array(value) for key, value in encoded["arrays"].items()},
        before=encoded["before"],
        after=encoded["after"],
        emits=encoded["emits"],
        n_channels=encoded["n_channels"],
    )


def _encode_plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"tuple": [_encode_plain(item) for item in value]}
    if isinstance(value, list):
        return [_encode_plain(item) for item in value]
    if isinstance(value, bytes):
        return {"bytes": _text(value)}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise NotDeclarative(f"{type(value).__name__} is no plain number, string or tuple of them")


def _decode_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode_plain(item) for item in value]
    if isinstance(value, dict):
        if "tuple" in value:
            return tuple(_decode_plain(item) for item in value["tuple"])
        return base64.b64decode(value["bytes"])
    return value


def _import_name(thing: Any) -> str:
    name = f"{thing.__module__}:{getattr(thing, '__qualname__', '?')}"
    if "<" in name or "?" in name or thing.__module__ == "__main__":
        raise NotDeclarative(f"{name} cannot be imported elsewhere; define it at the top level of a module")
    return name


def _imported(name: str) -> Any:
    module, _, qualname = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
