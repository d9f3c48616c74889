"""Select spikes that were recorded on all channels around them, for clustering where channels are silent at times.

Next to a silent channel a neuron's waveform differs; clustering would split it into two units that take turns, and what
its template leaves there can look like spikes of another unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.checkpoint import StoredRecords
from ...graph.columns import Records, count_of, iter_blocks, load_columns
from ...match.selected import select_records
from ...per_channel import bad_channels_of, positions_of
from ...preprocess.silence import find_silence, is_silence_filled
from ...recording.clock import first_sample
from ...recording.geometry import channel_groups, nearest_channels
from .passes import Run

#: Where the channels around a spike are all live for less than this share of the time, as sampled at this number of
#: moments, every spike is used.
LIVE_SHARE_MIN, N_MOMENTS = 0.2, 1000
#: How far from a spike its template may leave what looks like another one.
ECHO_MS = 0.5
_PLACE = ("sample_index", "channel_index")


def silent_stretches(recording: xr.DataArray, filtered: xr.DataArray, run: Run) -> NDArray[Any] | None:
    """Stretches in which channels are silent, from one pass over the samples; None if none had to be filled."""
    if not is_silence_filled(filtered):
        return None
    return run.collect("find silence", find_silence(recording)).load()


def live_records(
    records: StoredRecords, silences: NDArray[Any] | None, white: xr.DataArray, *, n_nearest: int, guard_ms: float
) -> StoredRecords:
    """The records of spikes during which all channels of their projections were live; parameters as for the next."""
    return select_records(records, are_live(records, silences, white, n_nearest=n_nearest, guard_ms=guard_ms))


def are_live(
    records: StoredRecords, silences: NDArray[Any] | None, white: xr.DataArray, *, n_nearest: int, guard_ms: float
) -> NDArray[np.bool_]:
    """During which spikes all channels of their projections were live; all spikes count where these hardly ever are.

    Parameters
    ----------
    records
        With ``sample_index`` and ``channel_index``.
    silences
        From :func:`silent_stretches`.
    white
        The recording in which the spikes were found; channels that are bad there are ignored.
    n_nearest
        Number of channels around each spike.
    guard_ms
        Time on either side of a spike that must be free of silence.
    """
    if silences is None or not len(silences):
        return np.ones(records.count, np.bool_)
    silent = _silence_around(white, silences, n_nearest=n_nearest, guard_ms=guard_ms)
    first, n_samples, n_channels = first_sample(white), white.sizes["time"], white.sizes["channel"]
    moments = first + np.linspace(0, n_samples - 1, N_MOMENTS).astype(np.int64)
    at, of = (grid.ravel() for grid in np.meshgrid(moments, np.arange(n_channels), indexing="ij"))
    usual = silent(at, of).reshape(N_MOMENTS, n_channels).mean(axis=0) <= 1 - LIVE_SHARE_MIN
    live = np.empty(records.count, np.bool_)
    for rows, known in iter_blocks(records, _PLACE):
        channels = np.ascontiguousarray(known["channel_index"])
        live[rows] = ~(silent(np.ascontiguousarray(known["sample_index"]), channels) & usual[channels])
    return live


def near_silence(
    spikes: Records, silences: NDArray[Any] | None, white: xr.DataArray, *, n_nearest: int, guard_ms: float
) -> NDArray[np.bool_]:
    """Which spikes were recorded while a channel around them was silent; parameters as for :func:`live_records`."""
    near = np.zeros(count_of(spikes), np.bool_)
    if silences is None or not len(silences) or not len(near):
        return near
    silent = _silence_around(white, silences, n_nearest=n_nearest, guard_ms=guard_ms)
    for rows, known in iter_blocks(spikes, _PLACE):
        near[rows] = silent(*(np.ascontiguousarray(known[name], np.int64) for name in _PLACE))
    return near


def without_echoes(
    spikes: Records,
    silences: NDArray[Any] | None,
    white: xr.DataArray,
    *,
    n_units: int,
    n_nearest: int,
    guard_ms: float,
) -> Records:
    """The matched spikes without those that larger ones leave where a channel around them is silent.

    Parameters
    ----------
    spikes
        Records with ``sample_index``, ``channel_index``, ``unit_index`` and ``gain``, in order of sample.
    silences, white, n_nearest, guard_ms
        As for :func:`live_records`.
    n_units
        Templates with which they were matched.
    """
    if silences is None or not len(silences) or not count_of(spikes):
        return spikes
    from ...kernels.match.echoes import find_echoes

    echo = find_echoes(
        *load_columns(spikes, sample_index=np.int64, unit_index=np.int64, gain=np.float64),
        silent=near_silence(spikes, silences, white, n_nearest=n_nearest, guard_ms=guard_ms),
        n_units=n_units,
        reach_samples=round(ECHO_MS * 1e-3 * float(white.attrs["sampling_frequency"])),
    )
    return spikes[~echo] if isinstance(spikes, np.ndarray) else select_records(spikes, ~echo)


def _silence_around(
    white: xr.DataArray, silences: NDArray[Any], *, n_nearest: int, guard_ms: float
) -> Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]:
    """A function of samples and channels: whether a channel around is silent, those that are bad not counted."""
    from ...kernels.preprocess.silence import beside_silence

    positions = positions_of(white, why="silence")
    near = nearest_channels(positions, n_nearest=n_nearest, groups=channel_groups(white))
    near = np.where(bad_channels_of(white)[near], -1, near).astype(np.int32)
    guard_samples = round(guard_ms * 1e-3 * float(white.attrs["sampling_frequency"]))

    def silent(samples: NDArray[np.int64], channels: NDArray[np.int64]) -> NDArray[np.bool_]:
        return beside_silence(samples, channels, silences, neighbors=near, guard_samples=guard_samples)

    return silent
