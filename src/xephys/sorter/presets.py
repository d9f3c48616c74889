"""Parameters of the presets: names, defaults, limits. An unknown name or a value outside its limits is an error."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from ..checks import nearest_name
from ..errors import ParameterError
from .default.parameters import DefaultParameters
from .kilosort4.parameters import Kilosort4Parameters

PRESETS: dict[str, type[BaseModel]] = {"default": DefaultParameters, "kilosort4": Kilosort4Parameters}


def read_parameters(preset: str, given: dict[str, Any]) -> Any:
    """The parameters of a preset with some of them given.

    Raises
    ------
    ParameterError
        If the preset or a name does not exist (the nearest is proposed), or a value is outside its limits.

    Examples
    --------
    >>> read_parameters("default", {"detect_threshold": "6"}).detect_threshold
    6.0
    """
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise ParameterError(f"preset {preset!r} does not exist{_nearest(preset, PRESETS)}; there is {known}")
    model = PRESETS[preset]
    for name in given:
        if name not in model.model_fields:
            raise ParameterError(
                f"preset {preset!r} has no parameter {name!r}{_nearest(name, model.model_fields)}; "
                f"it has {', '.join(model.model_fields)}"
            )
    try:
        return model(**given)
    except ValidationError as error:
        faults = "; ".join(_fault(e) for e in error.errors())
        raise ParameterError(f"{faults}; see the limits of preset {preset!r} in the documentation") from error


def _fault(error: Any) -> str:
    """One fault of a model: of a parameter with its value, or of several that do not fit together."""
    return f"{error['loc'][0]} is {error['input']!r}: {error['msg']}" if error["loc"] else str(error["msg"])


def _nearest(name: str, known: Any) -> str:
    near = nearest_name(name, known)
    return f", did you mean {near!r}?" if near else ""
