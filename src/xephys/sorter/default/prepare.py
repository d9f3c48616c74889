"""The preset ``default`` before detection: its filter, and the recordings that it refuses."""

from __future__ import annotations

import xarray as xr

from ...preprocess.filter import bandpass_filter
from ..steps.filtered_before import filter_unless_filtered, usable_band
from ..steps.learned import Learned
from ..steps.passes import Run
from ..steps.prepare import check_filterable, prepare
from ..steps.prepared import Prepared
from .parameters import DefaultParameters


def check_default(recording: xr.DataArray, parameters: DefaultParameters) -> None:
    """Refuse a recording that cannot be sorted with these parameters, before any work is done."""
    check_filterable(recording, lambda traces: band_passed(traces, parameters))


def prepare_default(
    recording: xr.DataArray, parameters: DefaultParameters, run: Run, *, learned: Learned | None = None
) -> Prepared:
    """Filtered, referenced and white traces, lazily.

    If an earlier sorting ``learned`` is given, nothing is computed.
    """
    return prepare(
        recording,
        run,
        band_pass=lambda traces: band_passed(traces, parameters),
        reference=parameters.reference,
        whitening_n_nearest=parameters.whitening_n_nearest,
        seed=parameters.seed,
        learned=learned,
    )


def band_passed(recording: xr.DataArray, parameters: DefaultParameters) -> xr.DataArray:
    """The band of spikes, limited to what the sampling rate can represent."""
    low_hz, high_hz = usable_band(recording, parameters.band_hz)
    return filter_unless_filtered(
        recording,
        (low_hz, high_hz),
        lambda traces: bandpass_filter(traces, freq_min_hz=low_hz, freq_max_hz=high_hz, order=parameters.filter_order),
    )
