"""The preset ``rt_sort`` before detection: its filter, and the recordings that it refuses."""

from __future__ import annotations

import xarray as xr

from ...preprocess.gaussian import gaussian_filter
from ..steps.prepare import check_filterable
from .parameters import RTSortParameters

#: Maximum upper corner of the band, as a fraction of the sampling rate.
FREQ_MAX_OF_RATE = 0.45


def check_rt_sort(recording: xr.DataArray, parameters: RTSortParameters) -> None:
    """Refuse a recording that cannot be sorted with these parameters, before any work is done."""
    from ...realtime.model import network_for

    check_filterable(recording, lambda traces: band_passed(traces, parameters))
    network_for(parameters, float(recording.attrs["sampling_frequency"]))


def band_passed(recording: xr.DataArray, p: RTSortParameters) -> xr.DataArray:
    """The band of spikes, by a filter of finite length, which live blocks pass through with the same result."""
    freq_max_hz = min(p.freq_max_hz, FREQ_MAX_OF_RATE * float(recording.attrs["sampling_frequency"]))
    return gaussian_filter(recording, freq_min_hz=p.freq_min_hz, freq_max_hz=freq_max_hz)
