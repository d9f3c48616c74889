"""The one registry of names, dims, dtypes and units of all objects passed around, and their validation.

A recording is an :class:`xarray.DataArray` named ``traces`` with dims ``(time, channel)``, Dask-backed, one chunk along
``channel``. Its times are a lazy regular clock in seconds; geometry and scaling are coordinates on ``channel``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from . import accessor as accessor  # registers `.ephys` wherever recordings are handled
from . import axis_labels
from .attributes import as_text, lines_of
from .axis_labels import RATE_TOLERANCE
from .checks import array_of_traces
from .errors import RecordingError
from .kernels.lib.records import PEAK_DTYPE
from .regular_clock import TIME_ATTRIBUTES, RegularClock, evenly_spaced
from .unit_mark import SEGMENT_START, mark_unit, unit_is_stated

__all__ = [
    "CHANNEL_COORDINATES",
    "MOTION_VARIABLES",
    "PEAK_DTYPE",
    "SEGMENT_START",
    "SORTING_NODES",
    "SPIKE_VARIABLES",
    "TRACES",
    "UNIT_VARIABLES",
    "RecordingInfo",
    "Variable",
    "channel_coordinate",
    "clock_of",
    "exact_variable",
    "has_regular_clock",
    "make_recording",
    "time_coordinate",
    "validate_recording",
    "wrap_like",
]


@dataclass(frozen=True)
class Variable:
    """A declared name: dims, kind of dtype (or the dtype itself), unit and meaning."""

    name: str
    dims: tuple[str, ...]
    kind: str
    units: str
    doc: str


def _by_name(*variables: Variable) -> dict[str, Variable]:
    return {variable.name: variable for variable in variables}


TRACES = Variable("traces", ("time", "channel"), "iuf", "counts or uV", "the signal")

CHANNEL_COORDINATES: dict[str, Variable] = _by_name(
    Variable("channel", ("channel",), "iuUO", "", "identifier of the channel, as in the file"),
    Variable("x", ("channel",), "f", "um", "position across the probe"),
    Variable("y", ("channel",), "f", "um", "position along the probe, upwards from the tip"),
    Variable("z", ("channel",), "f", "um", "third coordinate of a 3-D probe"),
    Variable("probe", ("channel",), "iuUO", "", "number or identifier of the probe, where there are several"),
    Variable("shank", ("channel",), "iuUO", "", "identifier of the shank"),
    Variable("group", ("channel",), "iuUO", "", "channels that are referenced or sorted together"),
    Variable("contact_id", ("channel",), "UO", "", "identifier of the contact on the probe"),
    Variable("gain_to_uv", ("channel",), "f", "uV/count", "microvolts per count"),
    Variable("offset_to_uv", ("channel",), "f", "uV", "added after the gain"),
    Variable("inter_sample_shift", ("channel",), "f", "sample", "delay of the channel's sampling, 0 to 1"),
    Variable("bad", ("channel",), "b", "", "true for channels to leave out of references and detection"),
)

#: An array with more channels and fewer samples than this was probably given as (channel, time).
CHANNELS_MAX = 10_000

MOTION_VARIABLES: dict[str, Variable] = _by_name(
    Variable("shank", ("shank",), "iuUO", "", "identifier of the shank, as on the recording's channels"),
    Variable("time", ("time",), "f", "s", "center of the time bin, on the recording's time axis"),
    Variable("depth", ("depth",), "f", "um", "depth (y) for which the value holds; linear in between"),
    Variable(
        "displacement_um",
        ("shank", "time", "depth"),
        "f",
        "um",
        "how far the tissue has moved along +y: registered depth = y - displacement_um",
    ),
    Variable("uncertainty_um", ("shank", "time", "depth"), "f", "um", "standard deviation of the displacement"),
    Variable(
        "known", ("shank", "time", "depth"), "b", "", "false where no spikes tell it, and the value is carried over"
    ),
)

SPIKE_VARIABLES: dict[str, Variable] = _by_name(
    Variable("sample_index", ("spike",), "i8", "samples", "sample of the spike, from the start of its segment"),
    Variable("unit_index", ("spike",), "i8", "", "position of the spike's unit along the dim unit"),
    Variable("segment_index", ("spike",), "i8", "", "segment of the recording"),
    Variable("time", ("spike",), "f8", "s", "when the spike was, on the clock of its recording"),
    Variable("amplitude", ("spike",), "f4", "uV", "size of the spike"),
    Variable("scale", ("spike",), "f4", "", "size of the spike as a multiple of its unit's mean waveform"),
    Variable("x", ("spike",), "f4", "um", "place of the spike across the probe"),
    Variable("y", ("spike",), "f4", "um", "place of the spike along the probe"),
)

#: Variables that every sorter provides per unit; metrics have a table of their own, see :mod:`xephys.metrics.table`.
UNIT_VARIABLES: dict[str, Variable] = _by_name(
    Variable("label", ("unit",), "<U8", "", "good, mua or noise"),
    Variable("channel_index", ("unit",), "i8", "", "channel on which the mean waveform is largest"),
    Variable("x", ("unit",), "f8", "um", "place of the unit across the probe"),
    Variable("y", ("unit",), "f8", "um", "place of the unit along the probe"),
)

SORTING_NODES: dict[str, str] = {
    "spikes": "dim spike: see SPIKE_VARIABLES",
    "units": "dim unit: see UNIT_VARIABLES and the table of metrics",
    "templates": "dims (unit, sample, channel): mean waveforms in uV",
    "motion": "dims (shank, time, depth): see MOTION_VARIABLES; absent if no motion was estimated",
    "learned/channels": (
        "dim channel: plain_noise_level (before the reference), noise_level (after it), white_noise_level, bad; "
        "coordinates x, y (um)"
    ),
    "learned/whitening": "what whiten takes: weight and neighbor (channel, slot), or matrix (channel, channel_out)",
    "learned/components": "components (component, sample), orthonormal, for projections; attribute nbefore",
    "learned/templates": (
        "what match_templates takes, white: waveform (unit, sample, slot), channel_index, num_averaged; unit_index: "
        "which unit of the sorting each is, or -1; sample_shift: added to its spikes; relative_size: its size in the "
        "unit's; represents: is the unit's own template; attribute noise_gain"
    ),
}


@dataclass(frozen=True)
class RecordingInfo:
    """Properties of a validated recording."""

    sampling_frequency: float
    n_samples: int
    n_channels: int
    units: str


def make_recording(
    data: Any,
    *,
    sampling_frequency: float,
    channel_ids: Any = None,
    start_s: float = 0.0,
    units: str = "counts",
    coordinates: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Wrap a ``(time, channel)`` array as a recording.

    Parameters
    ----------
    data
        Dask (or NumPy) array of traces.
    sampling_frequency
        In hertz.
    channel_ids
        Identifiers; 0 to n - 1 if None.
    start_s
        Time of the first sample, in seconds.
    units
        ``"counts"`` or ``"uV"``.
    coordinates
        Values per channel, by name: those in ``CHANNEL_COORDINATES``, or any other property.
    attributes
        Further attributes; mappings and lists are stored as JSON text, which any file format can hold.

    Raises
    ------
    RecordingError
        If the array is none, is not two-dimensional or looks transposed, a coordinate does not have one value per
        channel, two channels have one name, the rate is not above 0, or the unit is another unit of voltage.

    Examples
    --------
    >>> import numpy as np
    >>> rec = make_recording(np.zeros((300, 4), "int16"), sampling_frequency=30_000.0)
    >>> float(rec.time[30])
    0.001
    """
    data = array_of_traces(data)
    if data.ndim != 2:
        raise RecordingError(f"traces have {data.ndim} dimensions; give a (time, channel) array")
    if data.dtype.kind not in TRACES.kind:
        raise RecordingError(f"traces are {data.dtype}; a recording holds integers or real numbers")
    n_samples, n_channels = data.shape
    if n_channels > max(n_samples, CHANNELS_MAX):
        raise RecordingError(
            f"traces have {n_samples} samples of {n_channels} channels, and they are (time, channel): it looks "
            "transposed; give (time, channel), such as data.T"
        )
    rate = float(sampling_frequency)
    if not np.isfinite(rate) or rate <= 0:
        raise RecordingError(f"sampling_frequency is {sampling_frequency!r}; give the rate in hertz, above 0")
    if not np.isfinite(start_s):
        raise RecordingError(f"start_s is {start_s!r}; give the time of the first sample, in seconds")
    axis_labels.check_trace_units(units)
    ids = np.arange(n_channels) if channel_ids is None else np.asarray(channel_ids)
    if ids.shape != (n_channels,):
        raise RecordingError(f"channel_ids has shape {ids.shape} for {n_channels} channels; give one name per channel")
    axis_labels.check_channel_names(ids)
    coords: dict[str, Any] = {"channel": ids}
    if coordinates is not None and not isinstance(coordinates, Mapping):
        raise RecordingError(
            f"coordinates is a {type(coordinates).__name__}; give values by name, such as {{'x': [...], 'y': [...]}}"
        )
    for name, values in (coordinates or {}).items():
        if name in TRACES.dims:
            instead = "start_s and sampling_frequency" if name == "time" else "channel_ids"
            raise RecordingError(f"coordinates hold {name!r}, which labels the traces; give {instead} instead")
        values = np.asarray(values)
        if values.shape[:1] != (n_channels,):
            raise RecordingError(
                f"coordinate {name!r} has shape {values.shape} for {n_channels} channels; give one value per channel"
            )
        if values.ndim == 1:
            coords[name] = channel_coordinate(name, values)
    array = xr.DataArray(data, dims=("time", "channel"), coords=coords, name="traces")
    axis_labels.check_channel_coordinates(array.coords, CHANNEL_COORDINATES)
    given = {
        name: "\n".join(lines_of(value)) if name == "history" else as_text(value)
        for name, value in (attributes or {}).items()
    }
    array.attrs.update({SEGMENT_START: float(start_s), **given})
    origin_s = float(array.attrs[SEGMENT_START])
    first = round((start_s - origin_s) * rate)
    if first < 0 or abs(origin_s + first / rate - start_s) * rate > RATE_TOLERANCE:
        origin_s, first = float(start_s), 0
    array = array.assign_coords(time_coordinate(n_samples, rate, origin_s, first=first))
    array.attrs.update(sampling_frequency=rate, units=units)
    mark_unit(array)
    return array


def channel_coordinate(name: str, values: Any) -> xr.Variable:
    """A coordinate on ``channel``, with its unit if the registry has one: plots show it beside the axis."""
    units = CHANNEL_COORDINATES[name].units if name in CHANNEL_COORDINATES else ""
    return exact_variable(("channel",), values, {"units": units} if units else {})


def exact_variable(dims: tuple[str, ...], values: Any, attributes: Mapping[str, Any]) -> xr.Variable:
    """A variable with exactly these values, including objects: Xarray and pandas turn a None among strings into NaN."""
    variable = xr.Variable(dims, values, dict(attributes))
    if variable.dtype == object:
        variable.values[...] = np.asarray(values, object)
    return variable


def clock_of(recording: xr.DataArray) -> RegularClock | None:
    """The regular clock of a recording: its index, or one restored from stored times that were a regular clock.

    None for a recording without times and for one with a time for each sample, even if these look evenly spaced: there
    may be gaps in the segment before this part.
    """
    index = recording.xindexes.get("time")
    if index is None or isinstance(index, RegularClock):
        return index
    if isinstance(index, xr.indexes.RangeIndex):
        return RegularClock.regular(index.start, 1 / index.step, size=index.size)
    was_regular = recording.coords["time"].attrs.get("clock") == TIME_ATTRIBUTES["clock"]
    return evenly_spaced(index.to_pandas_index().values) if was_regular else None


def has_regular_clock(recording: xr.DataArray) -> bool:
    """Whether the times follow from a start and a rate, rather than being stored for each sample."""
    return clock_of(recording) is not None


def time_coordinate(
    n_samples: int, sampling_frequency: float, start_s: float = 0.0, *, first: int = 0
) -> xr.Coordinates:
    """A lazy time axis in seconds for samples from number ``first`` on; number 0 is at ``start_s``."""
    return xr.Coordinates.from_xindex(RegularClock.regular(start_s, sampling_frequency, first=first, size=n_samples))


def validate_recording(recording: Any) -> RecordingInfo:
    """Check that an object is a recording, and return its properties.

    Raises
    ------
    TypeError
        If it is not a DataArray.
    RecordingError
        If dims, dtype, chunks or the sampling frequency are not those of a recording.
    """
    if isinstance(recording, xr.DataTree):
        raise TypeError("this is a DataTree of segments; take one of them, such as tree['segment_0/traces']")
    if not isinstance(recording, xr.DataArray):
        raise TypeError(f"expected a recording (xarray.DataArray), got {type(recording).__name__}; see open_recording")
    if recording.dims != TRACES.dims:
        raise RecordingError(f"dims are {recording.dims}, a recording has ('time', 'channel'); transpose or rename")
    if recording.dtype.kind not in TRACES.kind:
        raise RecordingError(f"traces are {recording.dtype}; a recording holds integers or real numbers")
    rate = recording.attrs.get("sampling_frequency")
    if not isinstance(rate, (int, float, np.number)) or not np.isfinite(rate) or rate <= 0:
        raise RecordingError(
            f"attribute 'sampling_frequency' is {rate!r}; set it to the rate in hertz, or open its file itself"
        )
    n_samples, n_channels = recording.shape
    if n_channels == 0 or n_samples == 0:
        raise RecordingError(f"the recording has {n_samples} samples of {n_channels} channels; it is empty")
    if "channel" in recording.xindexes:
        # `indexes` would make a pandas index of the clock too: one number for each sample.
        axis_labels.check_channel_names(recording.xindexes["channel"].to_pandas_index())
    axis_labels.check_trace_units(recording.attrs.get("units", "counts"))
    axis_labels.check_channel_coordinates(recording.coords, CHANNEL_COORDINATES)
    _check_times(recording, float(rate))
    return RecordingInfo(float(rate), n_samples, n_channels, str(recording.attrs.get("units", "counts")))


def _check_times(recording: xr.DataArray, rate: float) -> None:
    """Check times and sampling rate, without computing anything."""
    clock = clock_of(recording)
    if clock is not None:
        axis_labels.check_rate([clock.step], rate)
        return
    axis_labels.check_times(recording)
    if "time" in recording.coords and recording.coords["time"].chunks is None and recording.sizes["time"] > 1:
        times, n = recording.coords["time"].variable, recording.sizes["time"]
        # The smallest of a few steps, because there may be gaps, and measured times scatter.
        axis_labels.check_rate([float(times[k + 1] - times[k]) for k in (0, n // 2 - 1, n - 2)], rate)


def wrap_like(recording: xr.DataArray, data: Any, *, step: str, units: str | None = None) -> xr.DataArray:
    """A recording with new traces and the coordinates of ``recording``.

    Xarray keeps attributes through arithmetic, so ``units`` is set here, by the operation that knows it, and the
    operation is appended to ``history``.
    """
    wrapped = recording.copy(deep=False, data=data)
    wrapped.attrs = dict(recording.attrs)
    wrapped.attrs["history"] = "\n".join([*lines_of(recording.attrs.get("history")), step])
    if units is not None:
        wrapped.attrs["units"] = units
    mark_unit(wrapped, is_stated=units is not None or unit_is_stated(recording))
    wrapped.name = "traces"
    return wrapped
