"""Every public operation that must not see the chunks, as a function from a recording to its result.

Append a line to put another operation under the properties of ``test_operations.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import xarray as xr

import xephys
from xephys.testing import simulate_recording

RATE = 30_000
Operation = Callable[[xr.DataArray], Any]


@cache
def recording() -> xr.DataArray:
    """2.6 s of 8 channels: two whole tiles and a ragged one."""
    simulated, _ = simulate_recording(duration_s=2.6, n_channels=8, n_units=3, seed=11)
    return simulated


@cache
def fitted() -> dict[str, Any]:
    """What the transforms are given: estimated once, from the recording as it is."""
    filtered = xephys.bandpass_filter(recording())
    return {
        "whitening": xephys.estimate_whitening(filtered, n_nearest=4),
        "noise": xephys.estimate_noise_levels(filtered),
    }


def peaks(rec: xr.DataArray, **parameters: Any) -> Any:
    return xephys.detect_peaks(xephys.bandpass_filter(rec), noise_levels=fitted()["noise"], **parameters)


def located(rec: xr.DataArray, method: str) -> Any:
    filtered = xephys.bandpass_filter(rec)
    return xephys.localize_peaks(filtered, xephys.detect_peaks(filtered, noise_levels=fitted()["noise"]), method=method)


#: Lazy transforms from traces to traces.
TRANSFORMS: dict[str, Operation] = {
    "bandpass_filter": xephys.bandpass_filter,
    "highpass_filter": xephys.highpass_filter,
    "notch_filter": lambda rec: xephys.notch_filter(rec, freq_hz=1000.0, quality=5.0),
    "phase_shift": xephys.phase_shift,
    "common_reference global median": xephys.common_reference,
    "common_reference global average": lambda rec: xephys.common_reference(rec, operator="average"),
    "common_reference local": lambda rec: xephys.common_reference(
        rec, reference="local", inner_radius_um=30, outer_radius_um=80, n_neighbors_min=2
    ),
    "to_uv": xephys.to_uv,
    "whiten": lambda rec: xephys.whiten(xephys.bandpass_filter(rec), whitening=fitted()["whitening"]),
    "chain": lambda rec: xephys.whiten(
        xephys.common_reference(xephys.bandpass_filter(xephys.phase_shift(rec))), whitening=fitted()["whitening"]
    ),
}

#: Lazy tables of events.
TABLES: dict[str, Operation] = {
    "detect_peaks locally_exclusive": peaks,
    "detect_peaks by_channel": lambda rec: peaks(rec, method="by_channel", peak_sign="both"),
    "localize_peaks center_of_mass": lambda rec: located(rec, "center_of_mass"),
    "localize_peaks monopolar_triangulation": lambda rec: located(rec, "monopolar_triangulation"),
}

#: Eager estimates.
ESTIMATES: dict[str, Operation] = {
    "estimate_noise_levels": xephys.estimate_noise_levels,
    "estimate_whitening": lambda rec: xephys.estimate_whitening(xephys.bandpass_filter(rec), n_nearest=4),
}
