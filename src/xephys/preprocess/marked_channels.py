"""Mark or drop bad channels, given as labels or as a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..errors import ParameterError, RecordingError
from ..per_channel import bad_channels_of, of_these_channels
from ..recording.slicing import select_channels

#: Labels that :func:`xephys.detect_bad_channels` returns.
LABELS = ("good", "dead", "noise", "outside")


@operation
def mark_bad_channels(recording: xr.DataArray, bad: Any) -> xr.DataArray:
    """Mark channels as bad: they stay, but references, whitening, detection and sorting leave them out.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    bad
        Labels, from :func:`detect_bad_channels` (all but ``"good"`` are bad), or a mask over the channels. Replaces any
        existing marks.

    Returns
    -------
    The same traces with the coordinate ``bad``, still lazy.

    Raises
    ------
    ParameterError
        If ``bad`` is neither, or belongs to other channels.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> marked = mark_bad_channels(recording, recording.channel.isin([2, 5]))
    >>> marked.channel.values[marked.bad].tolist()
    [2, 5]
    """
    schema.validate_recording(recording)
    return recording.assign_coords(bad=("channel", bad_mask(recording, bad)))


@operation
def drop_bad_channels(recording: xr.DataArray, bad: Any = None) -> xr.DataArray:
    """Remove bad channels, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    bad
        Labels, from :func:`detect_bad_channels` (all but ``"good"`` are bad), or a mask over the channels; the
        coordinate ``bad`` if None.

    Returns
    -------
    The good channels with their coordinates, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If ``bad`` is neither, belongs to other channels, or leaves no good channel.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> drop_bad_channels(recording, recording.channel.isin([2, 5])).sizes["channel"]
    6
    """
    n = schema.validate_recording(recording).n_channels
    mask = bad_mask(recording, bad)
    if mask.all():
        raise ParameterError(f"bad marks all {n} channels, and a recording has at least one; check the labels")
    return select_channels(recording, recording.channel.values[~mask]) if mask.any() else recording.copy()


def bad_mask(recording: xr.DataArray, bad: Any = None) -> NDArray[np.bool_]:
    """The mask over channels that labels or a mask (labelled or not) stand for; the recording's own marks if None.

    Raises
    ------
    ParameterError
        If there is not one value per channel, or the values are neither labels nor booleans.
    """
    if bad is None:
        return bad_channels_of(recording)
    n = recording.sizes["channel"]
    try:
        values = np.asarray(of_these_channels(recording, bad, what="bad"))
    except RecordingError as error:
        raise ParameterError(str(error)) from error
    if values.shape != (n,):
        raise ParameterError(
            f"bad has shape {values.shape} for {n} channels; give a label or True or False for each (for identifiers: "
            "recording.channel.isin(ids))"
        )
    if values.dtype.kind == "b":
        return np.asarray(values, bool)
    if values.dtype.kind in "UO" and set(map(str, values.tolist())) <= set(LABELS):
        return np.asarray(values != "good", bool)
    odd = next(value for value in values.tolist() if str(value) not in LABELS)
    raise ParameterError(
        f"bad holds {odd!r}; give labels ({', '.join(LABELS)}) or True and False (for identifiers: "
        "recording.channel.isin(ids))"
    )
