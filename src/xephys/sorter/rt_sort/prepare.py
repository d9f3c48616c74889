"""The preset ``rt_sort`` before detection: its filter, and the recordings that it refuses."""

from __future__ import annotations

import xarray as xr

from ...errors import RecordingError
from ...preprocess.gaussian import REACH_CYCLES, gaussian_filter
from ..steps.filtered_before import usable_band
from ..steps.prepare import check_filterable
from .parameters import RTSortParameters


def check_rt_sort(recording: xr.DataArray, parameters: RTSortParameters) -> None:
    """Refuse a recording that cannot be sorted with these parameters, before any work is done.

    Raises
    ------
    RecordingError
        If it is shorter than the filter, or channels have no positions.
    ParameterError
        If there is no network for its sampling rate.
    """
    from ...realtime.model import network_for

    rate, n_samples = float(recording.attrs["sampling_frequency"]), recording.sizes["time"]
    reach = round(REACH_CYCLES / parameters.freq_min_hz * rate)
    if n_samples <= reach:
        raise RecordingError(
            f"the recording has {n_samples} samples, and the filter reaches {reach}; use a longer recording or higher "
            "freq_min_hz"
        )
    check_filterable(recording, lambda traces: band_passed(traces, parameters))
    network_for(parameters, rate)


def band_passed(recording: xr.DataArray, p: RTSortParameters) -> xr.DataArray:
    """The band of spikes, by a filter of finite length, which live blocks pass through with the same result."""
    low_hz, high_hz = usable_band(recording, p.band_hz)
    return gaussian_filter(recording, freq_min_hz=low_hz, freq_max_hz=high_hz)
