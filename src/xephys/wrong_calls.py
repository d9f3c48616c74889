"""One-sentence answers to wrong calls of public functions: what was given, what is accepted, what to do.

One wrapper around every public function checks the names and kinds of its arguments against its own signature, and
the limits that follow from a name: a window is not longer than the recording, a number of channels not zero. Other
limits are checked where the values are used.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import BoundArguments, Parameter, Signature, signature
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from .checks import hint_for
from .errors import ParameterError
from .foreign import our_name
from .limits import limit_fault

T = TypeVar("T")

#: Functions that make an argument, suggested if something without labels was given for it.
MAKERS = {
    "whitening": "estimate_whitening",
    "components": "learn_components",
    "templates": "estimate_templates",
    "motion": "estimate_motion or make_motion",
    "shapes": "learn_shapes or standard_shapes",
    "noise_levels": "estimate_noise_levels",
    "sorting": "sort, open_sorting or from_spikeinterface",
    "learned": "sort or open_sorting",
}
#: Labelled arguments that may also be given without labels.
_LABELS_OPTIONAL = ("noise_levels",)


class CallError(ParameterError, TypeError):
    """A function was called with arguments that it does not have, or of a kind that it does not accept."""


def explained(function: Callable[..., Any], *, package: str) -> Callable[..., Any]:
    """Wrap a function so that its calls are checked; it is pickled and shown as a member of the package."""
    own: list[Signature] = []

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not own:
            own.append(signature(function))
        given = _checked(own[0], function.__name__, args, kwargs)
        return function(*given.args, **given.kwargs)

    call.__module__ = package
    return call


def explained_methods(kind: type[T]) -> type[T]:
    """Check the calls of a class and of its public methods, as those of public functions are checked.

    Examples
    --------
    >>> @explained_methods
    ... class Train:
    ...     def within(self, radius_ms: float) -> float:
    ...         return radius_ms
    >>> Train().within([3])
    Traceback (most recent call last):
    xephys.wrong_calls.CallError: Train.within: radius_ms is [3]; give one number in milliseconds
    """
    for name, member in list(vars(kind).items()):
        function = member.__func__ if isinstance(member, classmethod) else member
        if isinstance(function, FunctionType) and (name == "__init__" or not name.startswith("_")):
            full = kind.__name__ if name == "__init__" else f"{kind.__name__}.{name}"
            checked = _explained_method(function, full)
            setattr(kind, name, classmethod(checked) if isinstance(member, classmethod) else checked)
    return kind


def _explained_method(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A method whose calls are checked; its first argument, the object or class, is not."""
    own: list[Signature] = []

    @wraps(method)
    def call(this: Any, *args: Any, **kwargs: Any) -> Any:
        if not own:
            whole = signature(method)
            own.append(whole.replace(parameters=list(whole.parameters.values())[1:]))
        given = _checked(own[0], name, args, kwargs)
        return method(this, *given.args, **given.kwargs)

    return call


def _checked(known: Signature, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BoundArguments:
    """The arguments of a call that fits the signature, each of the kind that is declared."""
    _check_call(known, name, args, kwargs)
    given = known.bind(*args, **kwargs)
    for key, value in given.arguments.items():
        given.arguments[key] = _as_declared(known.parameters[key], value)
    return given


def _check_call(known: Signature, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse a call that does not fit the signature."""
    parameters = known.parameters
    by_position = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()) and len(args) > len(by_position):
        raise CallError(_too_many(name, by_position, parameters, args))
    for given in kwargs:
        names = [p.name for p in parameters.values() if p.name != "recording" and p.kind is not p.VAR_KEYWORD]
        if given not in parameters and (our_name(given, names) if takes_any else True):
            listed = ", ".join(names) or "none but the first"
            raise CallError(f"{name} has no parameter {given!r}; it has {listed}{hint_for(given, names)}")
    for parameter in by_position[: len(args)]:
        if parameter.name in kwargs:
            raise CallError(f"{name} is given {parameter.name} twice, by position and by name; give it once")
    missing = [
        p.name for p in parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and p.name not in kwargs and p not in by_position[: len(args)]
    ]  # fmt: skip
    if missing:
        made = ", ".join(f"{one} from {MAKERS[one]}" for one in missing if one in MAKERS)
        raise CallError(f"{name} needs {' and '.join(missing)}; give it{f' ({made})' if made else ''}")
    given = [
        *zip(by_position, args, strict=False),
        *((parameters[key], value) for key, value in kwargs.items() if key in parameters),
    ]
    for parameter, value in given:
        fault = _fault(parameter, value)
        if fault:
            raise CallError(f"{name}: {parameter.name} is {fault}")
    recording = next((value for parameter, value in given if parameter.name == "recording"), None)
    for parameter, value in given:
        fault = limit_fault(parameter, value, recording)
        if fault:
            raise ParameterError(f"{parameter.name} is {_shown(value)}; {fault}")


def _too_many(name: str, by_position: list[Parameter], parameters: Mapping[str, Parameter], args: Any) -> str:
    extra = args[len(by_position) :]
    named = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY][: len(extra)]
    example = ", ".join(f"{one}={_shown(value)}" for one, value in zip(named, extra, strict=False))
    taken = ", ".join(p.name for p in by_position) or "nothing"
    then = f"; give the others by name, such as {example}" if example else "; leave the rest out"
    return f"{name} takes {taken} by position and was given {len(extra)} more{then}"


def _fault(parameter: Parameter, value: Any) -> str | None:
    """What is wrong with the kind of a value and what to give instead; None if nothing is wrong."""
    declared = [part.strip() for part in str(parameter.annotation).split("|")]
    if value is None:
        if parameter.default is None or len(declared) > 1 or declared[0] not in _KINDS:
            return None
        return "None; give a value" if parameter.default is parameter.empty else "None; give a value, or leave it out"
    kinds = [part for part in declared if part != "None"]
    if parameter.name == "recording" and "xr.DataArray" in kinds:
        return _labelled(parameter.name, value)
    kind = _kind_of(parameter)
    return None if kind is None else _KINDS[kind](parameter.name, value)


def _kind_of(parameter: Parameter) -> str | None:
    """The one kind that the annotation names, besides None, if it is a kind that is checked."""
    kinds = [part.strip() for part in str(parameter.annotation).split("|") if part.strip() != "None"]
    return kinds[0] if len(kinds) == 1 and kinds[0] in _KINDS else None


def _number(name: str, value: Any) -> str | None:
    if isinstance(value, (numbers.Real, np.number)) and not isinstance(value, (bool, np.bool_)):
        return None
    if getattr(value, "ndim", None) == 0 and np.asarray(value).dtype.kind in "biuf":
        return None
    unit = next((f" in {word}" for end, word in _UNITS.items() if name.endswith(end)), "")
    if isinstance(value, str):
        return f"{value!r}, a text; give a number{unit}{_without_unit(value, name)}"
    return f"{_shown(value)}; give one number{unit}"


def _whole(name: str, value: Any) -> str | None:
    fault = _number(name, value)
    if fault:
        return fault.replace("a number", "a whole number").replace("one number", "one whole number")
    return None if float(value).is_integer() else f"{_shown(value)}; give a whole number"


def _as_declared(parameter: Parameter, value: Any) -> Any:
    """The value, as an ``int`` where one is declared and a whole ``float`` was given."""
    return int(value) if _kind_of(parameter) == "int" and isinstance(value, (float, np.floating)) else value


def _text(name: str, value: Any) -> str | None:
    return None if isinstance(value, str) else f"{_shown(value)}; give a name, as text"


def _flag(name: str, value: Any) -> str | None:
    return None if isinstance(value, (bool, np.bool_)) or value in (0, 1) else f"{_shown(value)}; give True or False"


def _path(name: str, value: Any) -> str | None:
    if isinstance(value, (str, os.PathLike)):
        return None
    several = "; open each, and join them with append_segments" if isinstance(value, (list, tuple)) else ""
    return f"{_shown(value)}; give one path, as text or pathlib.Path{several}"


def _axes(name: str, value: Any) -> str | None:
    if hasattr(value, "get_figure") and hasattr(value, "plot"):
        return None
    one = "one of them, such as axes[0]" if isinstance(value, (list, np.ndarray)) else "Axes, such as plt.gca()"
    return f"{_shown(value)}; give {one}"


def _labelled(name: str, value: Any) -> str | None:
    if _is_xarray(value, "DataArray") or (
        name == "recording" and _is_xarray(value, "DataTree") and not _is_sorting(value)
    ):
        return None
    if name in _LABELS_OPTIONAL and not isinstance(value, str):
        return None
    return _not_a_recording(value) if name == "recording" else _not_made(name, value, "DataArray")


def _dataset(name: str, value: Any) -> str | None:
    return None if _is_xarray(value, "Dataset") else _not_made(name, value, "Dataset")


def _tree(name: str, value: Any) -> str | None:
    return None if _is_xarray(value, "DataTree") else _not_made(name, value, "DataTree")


def _made_by(kind: str, maker: str) -> Callable[[str, Any], str | None]:
    """A check that a value is of a class of this package, by its name, which does not import the class."""

    def check(name: str, value: Any) -> str | None:
        if any(base.__name__ == kind for base in type(value).__mro__):
            return None
        return f"{_shown(value)}; give a {kind}, from {maker}"

    return check


def _not_a_recording(value: Any) -> str:
    if isinstance(value, (str, Path)):
        return f"a path, {str(value)!r}; open it first: open_recording({str(value)!r})"
    if _is_spikeinterface(value):
        return f"SpikeInterface's {type(value).__name__}; convert it first: from_spikeinterface(recording)"
    if _is_sorting(value):
        return "a sorting; give the recording that was sorted (parts of a sorting: select_period, select_segments)"
    if _is_xarray(value, "Dataset"):
        names = ", ".join(map(str, value.data_vars))
        return f"a Dataset; give one of its variables ({names}), or recordings from open_recording"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        turned = ".T" if len(value.shape) == 2 and value.shape[0] < value.shape[1] else ""
        why = " (it looks transposed: traces are (time, channel))" if turned else ""
        return (
            f"an array of shape {tuple(value.shape)} without labels{why}; wrap it first: "
            f"make_recording(array{turned}, sampling_frequency=...)"
        )
    return f"{_shown(value)}; give a recording, from open_recording or make_recording"


def _not_made(name: str, value: Any, kind: str) -> str:
    if _is_spikeinterface(value):
        convert = "from_spikeinterface_motion" if name == "motion" else "from_spikeinterface"
        return f"SpikeInterface's {type(value).__name__}; convert it first: {convert}({name})"
    if isinstance(value, (str, Path)) and kind == "DataTree":
        return f"a path, {str(value)!r}; open it first: open_sorting({str(value)!r})"
    made = f", from {MAKERS[name]}" if name in MAKERS else ""
    if _is_xarray(value, "DataArray") and tuple(value.dims) == ("time", "channel"):
        return f"a recording; give a labelled {kind}{made}"
    return f"{_shown(value)}; give a labelled {kind}{made}"


def _is_xarray(value: Any, kind: str) -> bool:
    return any(base.__name__ == kind and base.__module__.startswith("xarray.") for base in type(value).__mro__)


def _is_spikeinterface(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "spikeinterface" for base in type(value).__mro__)


def _is_sorting(value: Any) -> bool:
    return _is_xarray(value, "DataTree") and "spikes" in value.children


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"an array of shape {shape}"
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


def _without_unit(text: str, name: str) -> str:
    """The number, in the parameter's unit, that a text such as ``"300 Hz"`` stands for."""
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyzHKMVµ %").strip()
    unit = text.strip()[len(number) :].strip().lower()
    try:
        value = float(number) * _FACTORS.get(unit, 1.0)
    except ValueError:
        return ""
    return f", such as {name}={value:g}"


_UNITS = {"_hz": "hertz", "sampling_frequency": "hertz", "_um": "micrometers", "_ms": "milliseconds", "_s": "seconds"}
_FACTORS = {"k": 1000.0, "khz": 1000.0, "mhz": 1e6}
#: Checks by annotation; parameters with any other annotation are not checked here.
_KINDS: dict[str, Callable[[str, Any], str | None]] = {
    "float": _number,
    "int": _whole,
    "str": _text,
    "bool": _flag,
    "PathLike": _path,
    "Axes": _axes,
    "xr.DataArray": _labelled,
    "xr.Dataset": _dataset,
    "xr.DataTree": _tree,
    "Comparison": _made_by("Comparison", "compare"),
    "MultiSortingComparison": _made_by("MultiSortingComparison", "comparison.compare_multiple_sorters"),
    "GroundTruthStudy": _made_by("GroundTruthStudy", "comparison.GroundTruthStudy(study_folder)"),
}
