"""A short filtered recording with well separated units, shared by the tests from detection to matching."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

import xephys
from xephys.testing import simulate_recording

RATE = 30_000.0


@dataclass(frozen=True)
class Case:
    """The recording, its truth, its filtered and white traces, and their noise levels."""

    recording: xr.DataArray
    truth: Any
    filtered: xr.DataArray
    levels: xr.DataArray
    white: xr.DataArray
    white_levels: xr.DataArray

    @property
    def spikes(self) -> Any:
        """True spikes in the form in which templates are estimated from them."""
        return self.truth.spikes[["sample_index", "unit_index"]]


@cache
def case() -> Case:
    """8 s of 24 channels, five units of 100 to 200 µV."""
    recording, truth = simulate_recording(
        duration_s=8.0, n_channels=24, n_units=5, seed=6, amplitude_range_uv=(100.0, 200.0)
    )
    filtered = xephys.bandpass_filter(xephys.to_uv(recording))
    white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered, n_nearest=8))
    return Case(
        recording, truth, filtered, xephys.estimate_noise_levels(filtered), white, xephys.estimate_noise_levels(white)
    )


def peaks(**parameters: Any) -> Any:
    """The lazy table of peaks on the filtered traces, not localized yet."""
    return xephys.detect_peaks(case().filtered, noise_levels=case().levels, **parameters)


def share_found(samples: Any, true_samples: Any, *, window: int = 6) -> float:
    """Share of the true samples with a found sample nearby."""
    found = np.sort(samples)
    at = np.searchsorted(found, true_samples - window)
    near = (at < len(found)) & (found[np.minimum(at, len(found) - 1)] <= true_samples + window)
    return float(near.mean())


def separate(true_samples: Any, *, window: int = 45) -> Any:
    """Mask of spikes without another within the window, which no detector may miss."""
    apart = np.diff(true_samples) > window
    return np.concatenate([[True], apart]) & np.concatenate([apart, [True]])
