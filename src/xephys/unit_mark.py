"""Whether the unit and the steps that a recording states are still those of its traces.

Xarray keeps attributes and coordinates through arithmetic, so that a recording multiplied by its gain still says
``"counts"`` and still has the gain. It keeps the encoding through selections, chunks, joins, loading and copies, but
drops it where values are computed. A mark in the encoding therefore lasts exactly as long as the values.
"""

from __future__ import annotations

from typing import Any

from .attributes import lines_of
from .errors import ParameterError, RecordingError, warn_user

#: Attribute of a recording: time of sample 0 of its segment, in seconds. Slices keep it, so they know their place.
SEGMENT_START = "segment_start_s"
#: Key of the mark in the encoding of a recording.
MARK = "xephys_unit"
#: Stands for a step that is not an operation, such as arithmetic.
UNKNOWN_STEP = "unknown"
#: Attribute of an estimate: the steps before it that matter for the size of the noise, one a line.
MADE_ON = "made_on"
#: Steps after which noise has another size on all channels although the unit is the same.
_SIZE_STEPS = frozenset({
    UNKNOWN_STEP, "average_across_direction", "bandpass_filter", "common_reference", "decimate",
    "directional_derivative", "filter", "filter_with_sos", "gaussian_filter", "highpass_filter",
    "highpass_spatial_filter", "normalize_by_quantile", "resample", "scale", "whiten", "zscore",
})  # fmt: skip
_STATED, _UNSURE = "stated", "unsure"


def mark_unit(recording: Any, *, is_stated: bool = True) -> None:
    """Mark that the unit in the attributes is that of the traces, or that it was in doubt before the last step."""
    recording.encoding[MARK] = f"{_STATED if is_stated else _UNSURE}:{_kind(recording)}"


def carry_unit(made: Any, *sources: Any) -> Any:
    """A recording made of the traces of others, marked as all of them are."""
    mark_unit(made, is_stated=all(unit_is_stated(source) for source in sources))
    return made


def changed_by_hand(recording: Any) -> bool:
    """Whether something other than an operation has changed the traces since the last operation.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> changed_by_hand(recording[:100]), changed_by_hand(recording * 0.195)
    (False, True)
    """
    mark = recording.encoding.get(MARK)
    if mark is None:
        return not recording.encoding and SEGMENT_START in recording.attrs
    return bool(mark.partition(":")[2] != _kind(recording))


def unit_is_stated(recording: Any) -> bool:
    """Whether an operation, a reader or the user has said in which unit the traces are, as they are now.

    Real numbers that were stored by other means, such as Xarray's own, and went through no operation may be counts
    that were multiplied before; integers are counts.
    """
    mark = recording.encoding.get(MARK)
    if mark is not None or changed_by_hand(recording):
        return not changed_by_hand(recording) and mark.startswith(_STATED)
    return recording.dtype.kind in "iu" or bool(lines_of(recording.attrs.get("history")))


def check_unit_stated(recording: Any, *, why: str) -> None:
    """Refuse counts with a gain that may already have been applied; warn of microvolts that may be none.

    Parameters
    ----------
    recording
        Traces whose unit matters now.
    why
        What needs the unit, as the start of a sentence.

    Raises
    ------
    RecordingError
        If the traces say counts, have gains, and were changed by arithmetic or the like.
    """
    if unit_is_stated(recording):
        return
    unit = str(recording.attrs.get("units", "counts"))
    if unit == "counts" and "gain_to_uv" in recording.coords:
        raise RecordingError(
            f"{why} needs the unit of the traces, which say 'counts' with gains (gain_to_uv), and were changed by "
            "other means than operations of xephys (arithmetic, where, astype); say what they are now, "
            "recording.ephys.scale(units='uV'), or units='counts' if the gains still hold"
        )
    if unit == "uV" and any(_sets_microvolts(step) for step in lines_of(recording.attrs.get("history"))):
        warn_user(
            f"{why}: the traces were changed by other means than operations of xephys after they became microvolts, "
            "and are taken for uV as before; recording.ephys.scale(units='uV') confirms it"
        )


def size_steps(recording: Any) -> list[str]:
    """The steps of a recording's history that change the size of noise without changing the unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=3, n_channels=8, n_units=2, seed=0)
    >>> size_steps(2 * recording.ephys.notch_filter(freq_hz=50.0).ephys.rectify())
    ['unknown']
    """
    steps = [step for step in lines_of(recording.attrs.get("history")) if _name(step) in _SIZE_STEPS]
    return [*steps, UNKNOWN_STEP] if changed_by_hand(recording) else steps


def check_made_on(recording: Any, estimate: Any, *, what: str, made_by: str) -> None:
    """Check that an estimate was made after the same steps as these traces, as far as it says which.

    Raises
    ------
    ParameterError
        If a filter, a reference or another step that changes the size of the noise lies between them.
    """
    text = getattr(estimate, "attrs", {}).get(MADE_ON)
    if not isinstance(text, str):
        return
    given, own = lines_of(text), size_steps(recording)
    if [_comparable(step) for step in given] == [_comparable(step) for step in own]:
        return
    if not lines_of(recording.attrs.get("history")) and recording.dtype.kind == "f":
        return  # values with labels of the user's own making, which may have gone through anything
    raise ParameterError(
        f"{what}: estimated on traces {_after(given, than=own)}, and these traces are {_after(own, than=given)}; "
        f"estimate on these traces ({made_by})"
    )


def _after(steps: list[str], *, than: list[str]) -> str:
    """Where a chain ends, by its last step or by the first step that another chain does not have."""
    if not steps:
        return "as recorded"
    beside = [*map(_comparable, than), *[""] * len(steps)]
    other = [step for step, known in zip(steps, beside, strict=False) if _comparable(step) != known]
    step = other[0] if other else steps[-1]
    return "changed by arithmetic or the like" if step == UNKNOWN_STEP else f"after {_short(step)}"


def _comparable(step: str) -> str:
    """A step without estimates, which a history describes in one of two ways: how they were made, or whole."""
    return _name(step) if any(mark in step for mark in ("estimate_", "dataset(", "array(", "packed(")) else step


def _short(step: str) -> str:
    return step if len(step) <= 80 else f"{_name(step)}(...)"


def _sets_microvolts(step: str) -> bool:
    return _name(step) == "to_uv" or (_name(step) == "scale" and "units='uV'" in step.replace('"', "'"))


def step_names(steps: list[str]) -> list[str]:
    """The operations of some steps.

    Examples
    --------
    >>> step_names(["notch_filter(freq_hz=50.0)", "unknown"])
    ['notch_filter', 'unknown']
    """
    return [_name(step) for step in steps]


def _name(step: str) -> str:
    return step.partition("(")[0]


def _kind(recording: Any) -> str:
    return f"{recording.dtype.kind}{recording.dtype.itemsize}"
