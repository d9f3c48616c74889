"""Write arrays, plans and attributes as plain JSON, so that a lazy recording can be stored as text.

A plan over files can be described completely: paths, numbers, names of this package's sources and kernels, and arrays
in base64. A plan over data in memory, or with a stage defined elsewhere, cannot, and is refused with an error. Decoding
calls nothing but what is named here, so text from any author can be opened.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import io
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import RecordingError, readers_silenced
from ...graph.build import take_channels
from ...graph.compose.join import BesideSource, JoinedSource
from ...graph.compose.splice import SplicedSource
from ...graph.plan import Plan, Source, Stage, regular_chunks
from ...graph.source import BinarySource, PickledSource, ZarrSource, unpickled

#: Sources that text may name; they read files according to their fields and do nothing else.
_SOURCES: dict[str, type[Any]] = {"binary": BinarySource, "zarr": ZarrSource, "spliced": SplicedSource}
#: Sources that are made of the plans of others.
_OF_PLANS: dict[str, type[Any]] = {"joined": JoinedSource, "beside": BesideSource}
_SOURCES |= _OF_PLANS
_SOURCE_NAMES = {cls: name for name, cls in _SOURCES.items()}
#: Package from which text may name kernels: arrays in, arrays out.
_KERNELS = f"{__name__.partition('.')[0]}.kernels."
_TAKE_CHANNELS = "take_channels"
#: Identified by its module, which is imported only if something is simulated.
_SIMULATION = f"{__name__.partition('.')[0]}.simulation.source"


class NotDeclarative(TypeError):
    """The object holds data in memory, or code without an importable name, and cannot be written as JSON."""


def encode_array(values: Any) -> dict[str, Any]:
    """Encode an array as JSON, exactly; object arrays may hold numbers, strings, None, arrays, and lists or dicts of
    them.

    Raises
    ------
    NotDeclarative
        If it holds any other kind of object.
    """
    array = np.asarray(values)
    if array.dtype.kind == "O":
        return {
            "dtype": "object",
            "items": [_encode_item(item) for item in array.ravel().tolist()],
            "shape": array.shape,
        }
    if array.dtype.kind == "U":
        return {"dtype": array.dtype.str, "values": array.tolist()}
    if array.dtype.hasobject:
        raise NotDeclarative(f"an array of {array.dtype} cannot be written as text")
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return {"dtype": "npy", "data": _text(buffer.getvalue())}


def decode_array(encoded: Any) -> Any:
    """Decode the output of ``encode_array``; anything that was never encoded is returned unchanged."""
    if isinstance(encoded, np.ndarray):
        return encoded
    kind = encoded["dtype"]
    if kind == "npy":
        return np.load(io.BytesIO(base64.b64decode(encoded["data"])), allow_pickle=False)
    if kind == "object":
        items = encoded["values"] if "values" in encoded else [_decode_item(item) for item in encoded["items"]]
        out = np.empty(len(items), object)
        for k, item in enumerate(items):  # one by one: NumPy would turn lists into rows
            out[k] = item
        return out.reshape(encoded.get("shape", len(items)))
    if not str(kind).lstrip("<>|=").startswith(("U", "S")):
        raise RecordingError(f"an array of type {str(kind)[:40]!r} is not read from text: it may hold code")
    return np.array(encoded["values"], dtype=kind)


def encoded_if_plain(values: Any) -> Any:
    """An array encoded if possible, otherwise unchanged: it can then travel in a pickle, but never in text."""
    try:
        return encode_array(values)
    except NotDeclarative:
        return np.asarray(values)


def _encode_item(item: Any) -> Any:
    if item is None or type(item) in (bool, int, float, str):
        return item
    if isinstance(item, list):
        return [_encode_item(one) for one in item]
    if isinstance(item, tuple):
        return {"tuple": [_encode_item(one) for one in item]}
    if isinstance(item, dict):
        return {"dict": [[_encode_item(key), _encode_item(one)] for key, one in item.items()]}
    if isinstance(item, np.generic):
        return {"scalar": encode_array(item)}
    if isinstance(item, np.ndarray):
        return {"array": encode_array(item)}
    raise NotDeclarative(f"a {type(item).__name__} cannot be written as text")


def _decode_item(item: Any) -> Any:
    if isinstance(item, list):
        return [_decode_item(one) for one in item]
    if not isinstance(item, dict):
        return item
    if "tuple" in item:
        return tuple(_decode_item(one) for one in item["tuple"])
    if "dict" in item:
        return {_decode_item(key): _decode_item(one) for key, one in item["dict"]}
    return decode_array(item["array"]) if "array" in item else decode_array(item["scalar"])[()]


def plain(value: Any) -> Any:
    """Attributes in a form that JSON can hold: NumPy scalars and arrays become numbers and lists."""
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
    """Encode a plan as JSON.

    Raises
    ------
    NotDeclarative
        If its source is an array in memory, or one of its kernels has no importable name.
    """
    return {
        "source": _encode_source(plan.source),
        "sampling_frequency": plan.sampling_frequency,
        "start": plan.start,
        "origin": plan.origin,
        "n_samples": plan.n_samples,
        "chunk_samples": max(max(plan.chunks, default=1), 1),
        "tile_samples": plan.tile_samples,
        "stages": [_encode_stage(stage) for stage in plan.stages],
    }


def decode_plan(encoded: dict[str, Any]) -> Plan:
    """Decode the output of ``encode_plan``, in equal chunks."""
    return Plan(
        source=_decode_source(encoded["source"]),
        sampling_frequency=float(encoded["sampling_frequency"]),
        start=int(encoded["start"]),
        chunks=regular_chunks(int(encoded["n_samples"]), int(encoded["chunk_samples"])),
        tile_samples=int(encoded["tile_samples"]),
        stages=tuple(_decode_stage(stage) for stage in encoded["stages"]),
        origin=int(encoded.get("origin", 0)),
    )


def _encode_source(source: Source) -> dict[str, Any]:
    if isinstance(source, PickledSource):
        return _encode_reader(source)
    name = _SOURCE_NAMES.get(type(source))
    if type(source).__module__ == _SIMULATION:
        config = dataclasses.asdict(source.config)  # type: ignore[attr-defined]
        return {"simulation": {key: _encode_plain(value) for key, value in config.items()}}
    if name is None:
        raise NotDeclarative(
            "the recording is computed from an array in memory (or from arithmetic on one) and cannot be written as "
            "JSON; save_recording it first, or use pickle, which takes the data along"
        )
    fields = {field.name: getattr(source, field.name) for field in dataclasses.fields(source) if field.init}
    inner: dict[str, Any] = {"source": _encode_source(fields.pop("source"))} if name == "spliced" else {}
    if name in _OF_PLANS:
        inner = {"parts": [encode_plan(part) for part in fields.pop("parts")]}
    return {"class": name, "fields": {key: _encode_plain(value) for key, value in fields.items()}, **inner}


def _decode_source(encoded: dict[str, Any]) -> Source:
    if "reader" in encoded:
        return _decode_reader(encoded)
    if "simulation" in encoded:
        from ...simulation.config import SimulationConfig
        from ...simulation.source import SimulationSource

        config = {key: _decode_plain(value) for key, value in encoded["simulation"].items()}
        return SimulationSource(SimulationConfig(**config))
    name = str(encoded.get("class"))
    if name not in _SOURCES:
        raise RecordingError(f"a recording names the source {name[:80]!r}, which is not one of {', '.join(_SOURCES)}")
    fields = {key: _decode_plain(value) for key, value in encoded["fields"].items()}
    inner: dict[str, Any] = {"source": _decode_source(encoded["source"])} if name == "spliced" else {}
    if name in _OF_PLANS:
        inner = {"parts": tuple(decode_plan(part) for part in encoded["parts"])}
    source: Source = _SOURCES[name](**fields, **inner)
    return source


def _encode_reader(source: PickledSource) -> dict[str, Any]:
    """Encode a SpikeInterface recording as its own description, if that contains no data."""
    recording = unpickled(source.pickled, source.content)
    if not recording.check_serializability("json"):
        raise NotDeclarative(f"a {type(recording).__name__} cannot be written as JSON; save_recording it first")
    described = json.loads(json.dumps(plain(recording.to_dict(recursive=True))))
    fields = {field.name: getattr(source, field.name) for field in dataclasses.fields(source) if field.init}
    del fields["pickled"]
    return {"reader": described, "fields": {key: _encode_plain(value) for key, value in fields.items()}}


def _decode_reader(encoded: dict[str, Any]) -> PickledSource:
    from spikeinterface.core import load

    from ..read.trust import check_dump

    check_dump(encoded["reader"])
    fields = {key: _decode_plain(value) for key, value in encoded["fields"].items()}
    with readers_silenced(again=True):
        return PickledSource(pickle.dumps(load(encoded["reader"])), **fields)


def _encode_stage(stage: Stage) -> dict[str, Any]:
    return {
        "func": _kernel_name(stage.func),
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
        func=_kernel_named(encoded["func"]),
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
    raise NotDeclarative(f"{type(value).__name__} is not a plain number, string or tuple of them")


def _decode_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode_plain(item) for item in value]
    if isinstance(value, dict):
        if "tuple" in value:
            return tuple(_decode_plain(item) for item in value["tuple"])
        return base64.b64decode(value["bytes"])
    return value


def _kernel_name(func: Any) -> str:
    if func is take_channels:
        return _TAKE_CHANNELS
    module, name = str(getattr(func, "__module__", "")), str(getattr(func, "__qualname__", "?"))
    if not module.startswith(_KERNELS) or not name.isidentifier():
        raise NotDeclarative(
            f"the stage {module}.{name} is not one of this package's, and a text may not name code; save_recording "
            "what it makes, or use pickle"
        )
    return f"{module.removeprefix(_KERNELS)}:{name}"


def _kernel_named(name: str) -> Callable[..., Any]:
    if name == _TAKE_CHANNELS:
        return take_channels
    module, _, own = str(name).partition(":")
    if own.isidentifier() and all(part.isidentifier() for part in module.split(".")):
        try:
            found = getattr(importlib.import_module(_KERNELS + module), own, None)
        except ImportError:
            found = None
        if callable(found) and getattr(found, "__module__", None) == _KERNELS + module:
            kernel: Callable[..., Any] = found
            return kernel
    raise RecordingError(
        f"a recording names the step {str(name)[:80]!r}, which this version of the package does not have"
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
