"""Combine the channels of several recordings, such as those of several probes, and split them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..errors import ParameterError, RecordingError
from ..graph.compose.join import arrays_beside
from ..unit_mark import carry_unit
from .slicing import select_channels, start_time_s
from .stages import as_lazy, recording_plan


def aggregate_channels(recordings: Iterable[xr.DataArray]) -> xr.DataArray:
    """Combine the channels of simultaneous recordings into one recording, lazily; nothing is copied.

    Parameters
    ----------
    recordings
        Recordings of one segment that cover the same time, such as those of several probes.

    Returns
    -------
    One recording; one task per chunk if the recordings come from files. The coordinate ``probe`` keeps the recordings
    apart wherever neighborhoods are made: channels of different probes are never neighbors, however close their
    coordinates. Channels keep their names if these are all different; otherwise they become ``"0:NAME"``, ``"1:NAME"``.
    Coordinates that not all recordings have are left out. :func:`split_channels` is the inverse.

    Raises
    ------
    ParameterError
        If no recording is given.
    RecordingError
        If they differ in length, sampling frequency, first time or unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> one, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> two, _ = simulate_recording(duration_s=2, n_channels=4, n_units=2, seed=0)
    >>> both = aggregate_channels([one, two])
    >>> both.sizes["channel"], both.channel.values[[0, 8]].tolist(), both.probe.values[[0, 8]].tolist()
    (12, ['0:0', '1:0'], [0, 1])
    """
    parts = [] if isinstance(recordings, (xr.DataArray, xr.DataTree)) else list(recordings)
    if not parts or not all(isinstance(part, xr.DataArray) for part in parts):
        raise ParameterError("give recordings of one segment each in a list: [one, two, ...]")
    for part in parts:
        schema.validate_recording(part)
    _check_together(parts)
    plans = [recording_plan(part) for part in parts]
    data = arrays_beside([as_lazy(part) for part in parts], plans, chunk_samples=max(plans[0].chunks))
    names = set.intersection(*({str(n) for n, c in part.coords.items() if c.dims == ("channel",)} for part in parts))
    names -= {"channel", "probe", "contact_index"}
    coordinates: dict[str, Any] = {
        name: schema.channel_coordinate(name, np.concatenate([part.coords[name].values for part in parts]))
        for name in sorted(names)
    }
    coordinates["channel"] = distinct_names([part.coords["channel"].values for part in parts])
    coordinates["probe"] = ("channel", _probes(parts))
    first = parts[0]
    whole = xr.DataArray(data, dims=first.dims, coords=coordinates, name=first.name)
    whole.attrs = {name: value for name, value in first.attrs.items() if name != "probegroup"}
    carry_unit(whole, *parts)
    if "time" not in first.coords:
        return whole
    indexes = {"time": first.xindexes["time"]} if "time" in first.xindexes else {}
    return whole.assign_coords(xr.Coordinates({"time": first.coords["time"].variable}, indexes=indexes))


@operation
def split_channels(recording: xr.DataArray, *, by: str = "probe") -> dict[Any, xr.DataArray]:
    """Split a recording by a coordinate of its channels, such as probe, shank or group, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    by
        Name of a coordinate on ``channel``.

    Returns
    -------
    The recordings by value of the coordinate, ordered by their first channels.

    Raises
    ------
    ParameterError
        If the channels have no such coordinate.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> one, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> {probe: part.sizes["channel"] for probe, part in split_channels(aggregate_channels([one, one])).items()}
    {0: 8, 1: 8}
    """
    schema.validate_recording(recording)
    if by not in recording.coords or recording.coords[by].dims != ("channel",):
        known = sorted(str(n) for n, c in recording.coords.items() if c.dims == ("channel",) and n != "channel")
        raise ParameterError(f"the channels have no {by!r}; split by one of {', '.join(known)}")
    values = recording.coords[by].values
    return {
        value: select_channels(recording, recording.coords["channel"].values[values == value])
        for value in dict.fromkeys(values.tolist())
    }


def distinct_names(names: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Names of several things in a row: unchanged if all differ, otherwise prefixed with the number of the thing.

    Examples
    --------
    >>> distinct_names([np.array([1, 2]), np.array([3])]).tolist()
    [1, 2, 3]
    >>> distinct_names([np.array(["a"]), np.array(["a", "b"])]).tolist()
    ['0:a', '1:a', '1:b']
    """
    flat = [name for some in names for name in some.tolist()]
    alike = len({some.dtype.kind for some in names}) == 1
    if alike and len(set(flat)) == len(flat):
        return np.concatenate(list(names))
    return np.array([f"{k}:{name}" for k, some in enumerate(names) for name in some.tolist()])


def _probes(parts: Sequence[xr.DataArray]) -> NDArray[Any]:
    """Number of the recording that each channel comes from, with its probe if a recording already has several."""
    sizes = [part.sizes["channel"] for part in parts]
    number = np.repeat(np.arange(len(parts)), sizes)
    own = [
        part.coords["probe"].values.tolist() if "probe" in part.coords else [0] * n
        for part, n in zip(parts, sizes, strict=True)
    ]
    if all(len(set(probes)) == 1 for probes in own):
        return number
    return np.array([f"{k}:{probe}" for k, probe in zip(number, chain.from_iterable(own), strict=True)])


def _check_together(parts: Sequence[xr.DataArray]) -> None:
    first = parts[0]
    rate = float(first.attrs["sampling_frequency"])
    for number, part in enumerate(parts[1:], start=1):
        for what, own, other in (
            ("samples", part.sizes["time"], first.sizes["time"]),
            ("Hz", float(part.attrs["sampling_frequency"]), rate),
            ("as unit", part.attrs.get("units"), first.attrs.get("units")),
        ):
            if own != other:
                raise RecordingError(
                    f"recording {number} has {own} {what} and recording 0 has {other}; recordings lie side by side "
                    "if they ran together: take the time they share (time_slice), resample or scale (to_uv) first"
                )
        ahead = start_time_s(part) - start_time_s(first)
        if abs(ahead) * rate >= 0.5:
            raise RecordingError(
                f"recording {number} begins {abs(ahead):g} s {'after' if ahead > 0 else 'before'} recording 0; only "
                "recordings that ran together lie side by side: take the time they share (time_slice)"
            )
