"""Replay a chain of operations from its history, and write that history as text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from . import schema
from .attributes import lines_of
from .calls import history_of
from .checks import check_choice, hint_for
from .errors import ParameterError
from .typing import PathLike
from .unit_mark import UNKNOWN_STEP
from .written import read_call

#: Steps that change where traces are computed or stored, but not their values.
NEUTRAL = ("checkpoint", "to_device")
#: How a text begins that is the steps themselves, not TOML or JSON.
_CALL = re.compile(r"\w+(\(|\n|$)")


def replay(
    history: Any, recording: xr.DataArray, *, operations: Mapping[str, Callable[..., Any]] | None = None
) -> xr.DataArray:
    """Repeat a chain of operations, lazily, on the same recording or another one.

    Estimates that a step needs, such as the whitening, are made afresh from this recording, in the same way as in the
    original chain. Values that were given directly, or edited by hand, are used unchanged.

    Parameters
    ----------
    history
        A recording made by operations; its steps, ``recording.attrs["history"]``; a pipeline of
        :func:`xephys.make_pipeline`; their text, from :func:`history_text`; or the path of a file that holds such text.
        Only operations of xephys are ever run from it.
    recording
        Input of the first step, as it was opened. Selections made with Xarray itself are not part of a history.
    operations
        Your own operations by name, if the history contains any.

    Returns
    -------
    The recording after the last step. Replayed on the same recording, it has the same values to the bit.

    Raises
    ------
    ParameterError
        If a step is unknown (after arithmetic, for instance) or cannot be read.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = recording.ephys.bandpass_filter(freq_min_hz=500).ephys.common_reference()
    >>> again = replay(filtered, recording)
    >>> again.attrs["history"] == filtered.attrs["history"], bool((again == filtered).all())
    (True, True)
    """
    schema.validate_recording(recording)
    steps, known = steps_of(history), {**public_operations(), **(operations or {})}
    made = [recording]
    for number, text in enumerate(steps, 1):
        if text == UNKNOWN_STEP:
            raise ParameterError(
                f"step {number} of {len(steps)} is unknown: between operations the traces were changed by other means, "
                "such as arithmetic. Replay the steps before it, do that by hand, and replay the steps after it"
            )
        name, arguments = read_call(text, readers=_estimates(made, known))
        if name in NEUTRAL:
            made.append(made[-1])
            continue
        if name not in known:
            raise ParameterError(
                f"step {number}, {name}, is not an operation of xephys; give your own as "
                f"operations={{{name!r}: function}}{hint_for(name, known)}"
            )
        made.append(known[name](made[-1], **arguments))
    return made[-1]


def history_text(history: Any, *, format: str = "toml") -> str:
    """Write the history of a recording as text, which can be stored and passed to :func:`replay`.

    Parameters
    ----------
    history
        As in :func:`replay`.
    format
        ``"toml"`` or ``"json"``: the version of xephys and the list of steps.

    Raises
    ------
    ParameterError
        If the format is unknown, or there is no history.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> print(history_text(recording.ephys.notch_filter(freq_hz=3000.0)))
    xephys = "0.1.0"
    steps = [
      "notch_filter(freq_hz=3000.0, quality=30.0, tolerance=1e-06)",
    ]
    <BLANKLINE>
    """
    from . import __version__

    check_choice("format", format, ("toml", "json"))
    steps = steps_of(history)
    if format == "json":
        return json.dumps({"xephys": __version__, "steps": steps}, indent=1, ensure_ascii=False)
    # Every JSON string is also a TOML string, except for one control character, which no call contains.
    lines = [f"  {json.dumps(step, ensure_ascii=False)},\n" for step in steps]
    return f"xephys = {json.dumps(__version__)}\nsteps = [\n{''.join(lines)}]\n"


def public_operations() -> dict[str, Callable[..., Any]]:
    """Every public operation by name.

    Examples
    --------
    >>> "bandpass_filter" in public_operations()
    True
    """
    import xephys

    from .accessor import RecordingAccessor

    public = [name for name in vars(RecordingAccessor) if not name.startswith("_")]
    return {name: f for name in public if getattr(f := getattr(xephys, name), "is_operation", False)}


def _estimates(made: Sequence[xr.DataArray], known: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Readers for the estimates inside a step.

    Each makes its estimate from the recording after the given number of steps; None means all steps before it.
    """

    def reader(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
        def read(given: tuple[Any, ...], named: dict[str, Any]) -> Any:
            after = named.pop("after", len(made) - 1)
            if given or not isinstance(after, int) or not 0 <= after < len(made):
                raise ParameterError(
                    f"{function.__name__}(after={after!r}) is not after one of the {len(made) - 1} steps before it"
                )
            return function(made[after], **named)

        return read

    return {name: reader(function) for name, function in known.items()}


def steps_of(history: Any) -> list[str]:
    """The steps of a history in any of its forms, as :func:`replay` takes them.

    Raises
    ------
    ParameterError
        If there are none, or a file or text cannot be read.

    Examples
    --------
    >>> steps_of('steps = ["notch_filter(freq_hz=50)"]')
    ['notch_filter(freq_hz=50)']
    """
    if isinstance(getattr(history, "steps", None), tuple):  # a pipeline
        return list(history.steps)
    if isinstance(history, xr.DataArray):
        steps = history_of(history)
        if not steps:
            raise ParameterError("this recording has no history: no operation made it; give one that was processed")
        return steps
    if isinstance(history, (list, tuple)):
        return [str(step) for step in history]
    if isinstance(history, Path) or (isinstance(history, str) and "\n" not in history and "(" not in history):
        history = _text_of(history)
    if isinstance(history, str):
        return lines_of(history) if _CALL.match(history) else _parsed(history)
    raise ParameterError(
        f"history is a {type(history).__name__}; give a processed recording, its steps, their text, or a file of it"
    )


def _text_of(path: PathLike) -> str:
    place = Path(path)
    if not place.is_file():
        raise ParameterError(f"{place} is neither a history nor a file; check the path")
    try:
        return place.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError(f"{place} is not a file of text; give one with what history_text returns") from error


def _parsed(text: str) -> list[str]:
    try:
        stored = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ParameterError(
            f"the history is neither TOML nor JSON ({error}); give what history_text returns"
        ) from error
    steps = stored.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise ParameterError("the text has no list of steps; give what history_text returns")
    return steps
