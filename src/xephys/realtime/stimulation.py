"""Sort around stimulation pulses: their artifacts are bridged first, and no spike inside a bridge is believed."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_number
from ..errors import ParameterError
from ..preprocess.blank.periods import remove_artifacts
from ..recording.clock import first_sample, start_time_s
from ..schema import validate_recording
from ..typing import PathLike
from .sequences import sorting_of, spikes_of

#: Longest range in which a pulse is looked for.
RECENTER_MS_MAX = 50.0


def sort_stim(
    recording: xr.DataArray,
    sequences: xr.Dataset,
    *,
    trigger_times_s: Any,
    ms_before: float = 0.5,
    ms_after: float = 3.0,
    mode: str = "cubic",
    recenter_ms: float = 0.0,
    folder: PathLike | None = None,
) -> xr.DataTree:
    """Sort a recording with stimulation pulses by sequences that were learned without them. Computes.

    Parameters
    ----------
    recording
        Raw traces ``(time, channel)`` of the channels from which the sequences were learned.
    sequences
        From :func:`detect_sequences`.
    trigger_times_s
        Times of the pulses, in seconds on the recording's clock.
    ms_before, ms_after
        The period around each pulse that is replaced, and in which no spike is reported.
    mode
        ``"cubic"``, ``"linear"`` or ``"zeros"``, as in :func:`xephys.remove_artifacts`.
    recenter_ms
        Each pulse is moved to the largest sample of any channel within this time; 0 to trust the times, at most 50.
    folder
        Where detections are kept; a temporary folder if None.

    Returns
    -------
    A sorting with attribute ``trigger_times_s``: the times of the pulses as used.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the dataset does not hold sequences.
    RecordingError
        If the recording has other channels or another sampling rate.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> from xephys.realtime import detect_sequences
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=2, seed=1)
    >>> sorting = sort_stim(recording, detect_sequences(recording), trigger_times_s=[2.0, 4.0])
    >>> sorting.attrs["trigger_times_s"]
    [2.0, 4.0]
    """
    validate_recording(recording)
    check_number(recenter_ms=recenter_ms)
    if not 0 <= recenter_ms <= RECENTER_MS_MAX:
        raise ParameterError(f"recenter_ms is {recenter_ms:g}; give 0 to {RECENTER_MS_MAX:g}")
    times = np.atleast_1d(np.asarray(trigger_times_s, np.float64))
    if recenter_ms > 0:
        times = recentered(recording, times, recenter_ms=recenter_ms)
    clean = remove_artifacts(recording, trigger_times_s=times, ms_before=ms_before, ms_after=ms_after, mode=mode)
    spikes = spikes_of(clean, sequences, folder=folder)
    rate = float(recording.attrs["sampling_frequency"])
    at = np.sort(first_sample(recording) + np.rint((times - start_time_s(recording)) * rate).astype(np.int64))
    nbefore, nafter = (round(ms * 1e-3 * rate) for ms in (ms_before, ms_after))
    # A spike is inside if a period has begun before it that has not ended.
    begun = np.searchsorted(at - nbefore, spikes["sample_index"], side="right")
    ended = np.searchsorted(at + nafter, spikes["sample_index"], side="left")
    sorting = sorting_of(recording, spikes[begun == ended], sequences)
    sorting.attrs["trigger_times_s"] = times.tolist()
    return sorting


def recentered(recording: xr.DataArray, times: NDArray[np.float64], *, recenter_ms: float) -> NDArray[np.float64]:
    """Each time moved to the largest sample of any channel around it; reads these samples only.

    Parameters
    ----------
    recording
        Raw traces.
    times
        In seconds on the recording's clock.
    recenter_ms
        Longest move.
    """
    rate, start = float(recording.attrs["sampling_frequency"]), start_time_s(recording)
    reach = round(recenter_ms * 1e-3 * rate)
    moved = times.copy()
    for number, time in enumerate(times):
        at = round((time - start) * rate)
        first = max(0, at - reach)
        part = recording.isel(time=slice(first, max(at + reach + 1, first))).values.astype(np.float32)
        if len(part):
            size = np.abs(part - np.median(part, axis=0)).max(axis=1)
            moved[number] = start + (first + int(size.argmax())) / rate
    return moved
