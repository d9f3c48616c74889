"""Detect recordings that were already filtered or whitened, from their history, and treat them by one rule.

White traces are refused. Traces whose band lies within that of the preset are not filtered again. Other traces are
filtered, which does no harm if some of the spike band is left; if none is left, they are refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import xarray as xr

from ...attributes import from_text
from ...calls import history_of
from ...errors import ParameterError, RecordingError, XephysWarning
from ...written import read_call

#: Operations that limit the band, with the names of their corner parameters.
_FILTERS = {"bandpass_filter": ("freq_min_hz", "freq_max_hz"), "highpass_filter": ("freq_min_hz", "")}
Band = tuple[float, float]


def known_band(recording: xr.DataArray) -> Band | None:
    """Corners in hertz of the band that the filters of a recording's history leave; None if there are no filters.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> known_band(xephys.bandpass_filter(recording, freq_min_hz=400, freq_max_hz=5000))
    (400.0, 5000.0)
    """
    steps = [step for step in history_of(recording) if step.partition("(")[0] in _FILTERS]
    corners = [band for step in steps if (band := _corners(step)) is not None]
    if not corners:
        return None
    return max(low for low, _ in corners), min(high for _, high in corners)


def check_not_filtered_away(recording: xr.DataArray, band: Band) -> None:
    """Refuse white traces, and traces in which nothing of the preset's band is left.

    Raises
    ------
    RecordingError
        Says what to do instead.
    """
    steps = [step.partition("(")[0] for step in history_of(recording)]
    if "whiten" in steps or recording.attrs.get("units") == "noise":
        raise RecordingError(
            "this recording is whitened, and a sort estimates noise levels and amplitudes before it whitens by itself; "
            "give the recording as it was before whiten"
        )
    known = known_band(recording)
    if known is not None and (known[1] <= band[0] or known[0] >= band[1]):
        raise RecordingError(
            f"this recording was filtered to {_said(known)}, which leaves nothing of the {_said(band)} in which spikes "
            "are sorted; give it as it was before that filter"
        )


def is_filtered_as(recording: xr.DataArray, band: Band) -> bool:
    """Whether real traces are as narrow as a preset's band already, so that its filter is left out."""
    known = known_band(recording)
    if known is None or recording.dtype.kind != "f":
        return False
    return known[0] >= band[0] and known[1] <= band[1]


def filter_unless_filtered(
    recording: xr.DataArray, band: Band, apply: Callable[[xr.DataArray], xr.DataArray]
) -> xr.DataArray:
    """The preset's filter, or the traces as they are."""
    return recording if is_filtered_as(recording, band) else apply(recording)


def filter_notes(recording: xr.DataArray, band: Band) -> list[dict[str, Any]]:
    """What the log of a sort says of filters before it; a warning says it too."""
    known = known_band(recording)
    elsewhere = bool(from_text(recording.attrs.get("annotations"), {}).get("is_filtered", False))
    if known is None and not elsewhere:
        return []
    within = known is not None and known[0] >= band[0] and known[1] <= band[1]
    what = f"filtered to {_said(known)}" if known is not None else "filtered elsewhere, to a band that is not known"
    action = "skipped" if within else "filtered again"
    reason = f"the recording was {what} before"
    warnings.warn(
        f"{reason}; it is {'not filtered again' if within else f'filtered again, to {_said(band)}'}",
        XephysWarning,
        stacklevel=4,
    )
    return [{"step": "filter", "action": action, "reason": reason}]


def _corners(step: str) -> Band | None:
    """The band of one step; None if its history was written by hand without numbers."""
    try:
        name, given = read_call(step)
    except ParameterError:
        return None
    low, high = _FILTERS[name]
    return float(given.get(low, 0.0)), float(given.get(high, "inf")) if high else float("inf")


def _said(band: Band) -> str:
    low, high = band
    return f"{low:g} Hz and above" if high == float("inf") else f"{low:g} to {high:g} Hz"
