"""Limits of numbers that follow from the parameter's name, checked for every public function.

Names carry their unit, so what a number may be can be read from them: no length in micrometers is negative, no window
in milliseconds is longer than the recording (or than a second, if that is longer), no number of channels is zero.
"""

from __future__ import annotations

import math
from inspect import Parameter
from typing import Any

import numpy as np

#: Filters of a higher order cannot be computed in double precision.
ORDER_MAX = 32
#: Further limits: a grid, or a number of excerpts, beyond these does not fit into memory.
MAXIMA = {"template_sizes": 20, "nearest_templates": 20_000, "n_slices": 100_000}
#: Noise levels and spectra of shorter excerpts say nothing.
MINIMA = {"slice_duration_s": 0.01}
#: Numbers that the functions check with others, beside frequencies, which have a limit in the recording's rate.
OWN_CHECKS = ("low", "high", "start_s", "stop_s")
#: How the names of numbers end that may be given as one or as several.
_NUMBERS = ("_s", "_um", "_hz", "_shift", "gain", "offset")
#: A cut of a recording may be shorter than any window, so windows up to this are sensible however short it is.
WINDOW_MS = 1000.0
#: Whole numbers beyond this count nothing that fits into memory.
WHOLE_MAX = 2**31 - 1


def limit_fault(parameter: Parameter, value: Any, recording: Any = None) -> str | None:
    """The limit that a value breaks and what to do instead; None if it breaks none.

    Parameters
    ----------
    parameter
        Its name and annotation; only single numbers are checked, and never the default.
    value
        What was given.
    recording
        The recording of the same call, if there is one: no window of more than a second is longer.

    Examples
    --------
    >>> limit_fault(Parameter("radius_um", Parameter.KEYWORD_ONLY, annotation="float"), -50.0)
    'it must be at least 0'
    >>> limit_fault(Parameter("n_nearest", Parameter.KEYWORD_ONLY, annotation="int"), 0)
    'it must be greater than 0'
    """
    if parameter.name.endswith(_NUMBERS) and _holds_other(value) and "str" not in str(parameter.annotation):
        return "give numbers"
    kinds = {part.strip() for part in str(parameter.annotation).split("|")} - {"None"}
    if kinds not in ({"float"}, {"int"}) or value is None or np.ndim(value):
        return None
    name, number = parameter.name, float(value)
    if number == parameter.default or name.endswith("_hz") or name in OWN_CHECKS:
        return None
    if math.isnan(number):
        return "give a number"
    if kinds == {"int"}:
        return _fault_of_count(name, number)
    return _fault_of_length(name, number, recording)


def _holds_other(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_other(one) or one is None for one in value)
    return isinstance(value, (str, dict, set))


def _fault_of_count(name: str, number: float) -> str | None:
    if name == "order" and number > ORDER_MAX:
        return f"it must be at most {ORDER_MAX}"
    if name in MAXIMA and number > MAXIMA[name]:
        return f"it must be at most {MAXIMA[name]}"
    if name == "seed" and number < 0:
        return "it must be at least 0"
    if name == "rank" and number < 1:
        return "it must be greater than 0"
    if name.startswith("n_"):
        if number < 0 and name.endswith(("_min", "_pad")):
            return "it must be at least 0"
        if number < 1 and not name.endswith(("_min", "_pad")):
            return "it must be greater than 0"
    if name.startswith("n_") and not name.endswith("_max") and number > WHOLE_MAX:
        return f"it must be at most {WHOLE_MAX}"
    return None


def _fault_of_length(name: str, number: float, recording: Any) -> str | None:
    in_ms = name.endswith("_ms") or name.startswith("ms_")
    if math.isinf(number) and (in_ms or name.endswith(("_um", "_s", "sampling_frequency"))):
        return "give a finite number"
    if name.endswith(("_um", "_ms")) and number < 0:
        return "it must be at least 0"
    duration_ms = 1e3 * _duration_s(recording)
    if name in MINIMA and 0 < number < MINIMA[name]:
        return f"it must be at least {MINIMA[name]:g}"
    if in_ms and number > max(duration_ms, WINDOW_MS):
        return f"the recording lasts {duration_ms:g} ms, and it must not be longer; it is in milliseconds"
    return None


def _duration_s(recording: Any) -> float:
    """Of a single recording; infinite if there is none, or if it has no rate."""
    rate = getattr(recording, "attrs", {}).get("sampling_frequency")
    known = isinstance(rate, (int, float)) and rate > 0 and "time" in getattr(recording, "sizes", {})
    return recording.sizes["time"] / rate if known else math.inf
