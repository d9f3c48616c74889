"""Checks of what labels a recording: names and places of its channels, the times of its samples, and its unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from .errors import RecordingError

__all__ = ["check_channel_coordinates", "check_channel_names", "check_rate", "check_times", "check_trace_units"]

#: Rates that differ by less than this fraction are equal: over a template they stay within a sample. The steps of a
#: time coordinate may deviate from the sampling rate by the same fraction.
RATE_TOLERANCE = 1e-3
#: The same tolerance for recordings with a time for each sample: synchronized clocks scatter.
TIMES_TOLERANCE = 0.3
#: Coordinates of channels that operations compute with.
_NUMBERS_OF_CHANNELS = ("x", "y", "z", "gain_to_uv", "offset_to_uv", "inter_sample_shift")
#: Other ways to write microvolts.
_MICROVOLTS = ("uv", "µv", "μv", "microvolt", "microvolts")
#: Other units of voltage, in microvolts.
_IN_UV = {"v": 1e6, "volt": 1e6, "volts": 1e6, "mv": 1e3, "millivolt": 1e3, "millivolts": 1e3, "nv": 1e-3}


def check_channel_names(names: Any) -> None:
    """Check that each channel has a name of its own; ``names`` is an array or a pandas index.

    Raises
    ------
    RecordingError
        If two channels have one name, or one has none (NaN).

    Examples
    --------
    >>> check_channel_names(["a", "b"])
    """
    import pandas as pd

    index = names if isinstance(names, pd.Index) else pd.Index(names)
    if index.hasnans:
        raise RecordingError("some channels have no name (NaN); give channel_ids without gaps, such as range(n)")
    if not index.is_unique:
        twice = index[index.duplicated()].unique().tolist()
        raise RecordingError(
            f"{len(twice)} names belong to several channels, such as {twice[0]!r}; give each channel its own name: "
            "recording.assign_coords(channel=range(recording.sizes['channel'])), or channel_ids"
        )


def check_channel_coordinates(coordinates: Mapping[Any, Any], names: Iterable[str]) -> None:
    """Check that what is known of channels is known of each, and that places, gains and delays are numbers.

    Raises
    ------
    RecordingError
        If a coordinate has other dims, such as after unstacking, or texts stand for numbers.

    Examples
    --------
    >>> check_channel_coordinates({"x": xr.Variable("channel", [0.0, 20.0])}, ["x", "y"])
    """
    for name in names:
        if name in coordinates and coordinates[name].dims != ("channel",):
            raise RecordingError(
                f"coordinate {name!r} has dims {coordinates[name].dims}; give one value for each channel: "
                f"recording.assign_coords({name}=('channel', values))"
            )
    for name in _NUMBERS_OF_CHANNELS:
        if name in coordinates and coordinates[name].dtype.kind not in "iuf":
            given = coordinates[name].values.ravel()[:1].tolist()
            raise RecordingError(f"coordinate {name!r} holds {given} and so on; give a number for each channel")
    if "bad" in names and "bad" in coordinates and coordinates["bad"].dtype.kind in "UST":
        raise RecordingError(
            f"coordinate 'bad' holds {coordinates['bad'].values[:1].tolist()} and so on; give True or False for each "
            "channel, or labels to mark_bad_channels"
        )


def check_trace_units(units: Any) -> None:
    """Check that voltages are in ``"uV"``, and spelled so.

    Raises
    ------
    RecordingError
        If they are in volts or millivolts, or microvolts are spelled differently.

    Examples
    --------
    >>> check_trace_units("uV")
    >>> check_trace_units("counts")
    """
    text = str(units)
    if text == "uV":
        return
    if text.lower() in _MICROVOLTS:
        raise RecordingError(f"the unit of the traces is {text!r}; microvolts are written 'uV': set attrs['units']")
    factor = _IN_UV.get(text.lower())
    if factor is not None:
        raise RecordingError(
            f"the unit of the traces is {text!r}; voltages are in 'uV': multiply the traces by {factor:g} and set "
            "attrs['units'] = 'uV'"
        )


def check_times(recording: xr.DataArray) -> None:
    """Check that stored times, if there are any, are in seconds and increase.

    Raises
    ------
    RecordingError
        If they are dates or durations, some are missing (NaN), or the samples are not in order.
    """
    kind = recording.coords["time"].dtype.kind if "time" in recording.coords else "f"
    if kind not in "fiu":
        by = "(recording.time - recording.time[0]) / numpy.timedelta64(1, 's')" if kind in "mM" else "seconds"
        raise RecordingError(
            f"the times are {recording.coords['time'].dtype}, and a recording's are seconds: "
            f"recording.assign_coords(time={by})"
        )
    if "time" not in recording.xindexes:
        return
    index = recording.xindexes["time"].to_pandas_index()
    if index.hasnans:
        raise RecordingError("some times are NaN; drop them (recording.drop_vars('time')) or correct them")
    if not index.is_monotonic_increasing:
        raise RecordingError(
            "the times do not increase, so the samples are not in order: sort them (recording.sortby('time')), or "
            "drop wrong times (recording.drop_vars('time'))"
        )


def check_rate(steps_s: list[float], sampling_frequency: float) -> None:
    """Check the distances of neighboring samples, in seconds, against the sampling rate in hertz.

    One distance is that of a regular clock, and several are a few of stored times.

    Raises
    ------
    RecordingError
        If none fits.

    Examples
    --------
    >>> check_rate([1 / 30_000], 30_000.0)
    """
    rate, limit = sampling_frequency, RATE_TOLERANCE if len(steps_s) == 1 else TIMES_TOLERANCE
    smallest = min(steps_s)
    if smallest == 0:
        raise RecordingError("samples are 0 s apart on the time coordinate; drop it (recording.drop_vars('time'))")
    if rate * smallest > 1 + limit or rate * max(steps_s) < 1 - limit:
        raise RecordingError(
            f"the samples are {smallest:g} s apart on the time coordinate, and 'sampling_frequency' is {rate:g} Hz, "
            f"{1 / rate:g} s: samples were taken out or averaged (slices with a step, coarsen). Filter before "
            f"that, and then set the rate: recording.attrs['sampling_frequency'] = {1 / smallest:g}"
        )
