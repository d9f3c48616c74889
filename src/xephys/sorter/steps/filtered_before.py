"""The band of a sort: what a recording's rate leaves of it, and which recordings were already filtered or whitened.

White traces are refused. Traces whose band lies within that of the preset are not filtered again. Other traces are
filtered, which does no harm if some of the spike band is left; if none is left, they are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from ...attributes import from_text
from ...calls import history_of
from ...errors import ParameterError, RecordingError, warn_user
from ...written import read_call

#: Filters as steep as those of the presets, which may be left out after them.
_STEEP = ("bandpass_filter", "highpass_filter")
#: All operations that limit the band.
_FILTERS = (*_STEEP, "filter", "gaussian_filter")
Band = tuple[float, float]
#: Maximum upper corner of a band-pass, as a fraction of the sampling rate.
FREQ_MAX_OF_RATE = 0.45


def usable_band(recording: xr.DataArray, band: Band) -> Band:
    """What the recording's rate leaves of a preset's band; a high-pass is not limited.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> usable_band(recording, (300.0, 6000.0)), usable_band(recording, (300.0, 20_000.0))
    ((300.0, 6000.0), (300.0, 13500.0))
    """
    low, high = band
    return low, high if high == float("inf") else min(high, FREQ_MAX_OF_RATE * _rate(recording))


def known_band(recording: xr.DataArray, *, filters: tuple[str, ...] = _FILTERS) -> Band | None:
    """Corners in hertz of the band that these filters of a recording's history leave; None if there are none.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> known_band(xephys.bandpass_filter(recording, freq_min_hz=400, freq_max_hz=5000))
    (400.0, 5000.0)
    """
    steps = [step for step in history_of(recording) if step.partition("(")[0] in filters]
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
    return recording.dtype.kind == "f" and _is_within(known_band(recording, filters=_STEEP), band)


def filter_unless_filtered(
    recording: xr.DataArray, band: Band, apply: Callable[[xr.DataArray], xr.DataArray]
) -> xr.DataArray:
    """The preset's filter, or the traces as they are."""
    return recording if is_filtered_as(recording, band) else apply(recording)


def band_notes(recording: xr.DataArray, band: Band, *, is_chosen: bool, may_skip: bool) -> list[dict[str, Any]]:
    """What the log of a sort says of its band and of filters before it; a warning says it too.

    Parameters
    ----------
    recording
        What is sorted.
    band
        Corners of the preset's filter.
    is_chosen
        Whether the user chose the corners. Of a preset's own corner that the rate lowers, only the log tells.
    may_skip
        Whether the preset leaves its filter out after one that is as narrow.
    """
    usable = usable_band(recording, band)
    notes = _notes_on_filters(recording, usable, may_skip=may_skip)
    if usable[1] == band[1]:
        return notes
    reason = f"{band[1]:g} Hz is above {FREQ_MAX_OF_RATE:g} of the rate, {_rate(recording):g} Hz"
    if is_chosen:
        warn_user(f"the upper corner of the band, {reason}; the band ends at {usable[1]:g} Hz")
    return [{"step": "filter", "action": f"corner lowered to {usable[1]:g} Hz", "reason": reason}, *notes]


def _notes_on_filters(recording: xr.DataArray, band: Band, *, may_skip: bool) -> list[dict[str, Any]]:
    known = known_band(recording)
    elsewhere = bool(from_text(recording.attrs.get("annotations"), {}).get("is_filtered", False))
    if known is None and not elsewhere:
        return []
    becomes_real = recording.dtype.kind == "f" or "gain_to_uv" in recording.coords
    skipped = may_skip and becomes_real and _is_within(known_band(recording, filters=_STEEP), band)
    what = f"filtered to {_said(known)}" if known is not None else "filtered elsewhere, to a band that is not known"
    reason = f"the recording was {what} before"
    warn_user(f"{reason}; it is {'not filtered again' if skipped else f'filtered again, to {_said(band)}'}")
    return [{"step": "filter", "action": "skipped" if skipped else "filtered again", "reason": reason}]


def _is_within(known: Band | None, band: Band) -> bool:
    return known is not None and known[0] >= band[0] and known[1] <= band[1]


def _corners(step: str) -> Band | None:
    """The band that one step leaves; None if its history was written by hand without numbers, or leaves two bands."""
    try:
        name, given = read_call(step)
    except ParameterError:
        return None
    if name == "filter":
        kind, corners = given.get("btype", "bandpass"), np.atleast_1d(given.get("freq_hz", (300.0, 6000.0)))
        ends = {"bandpass": corners, "highpass": (corners[0], np.inf), "lowpass": (0.0, corners[0])}.get(kind)
    else:
        ends = given.get("freq_min_hz"), given.get("freq_max_hz")
    return None if ends is None else (float(ends[0] or 0.0), float(ends[1] or np.inf))


def _rate(recording: xr.DataArray) -> float:
    return float(recording.attrs["sampling_frequency"])


def _said(band: Band) -> str:
    low, high = band
    return f"{low:g} Hz and above" if high == float("inf") else f"{low:g} to {high:g} Hz"
