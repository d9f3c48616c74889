"""Input shared by every detection method: the recording, and which crossings are peaks."""

from __future__ import annotations

from typing import Any, NamedTuple

import xarray as xr


class PeakRules(NamedTuple):
    """A recording whose identity has been checked, the sign of a peak, and the minimum time between two peaks."""

    recording: xr.DataArray
    n_channels: int
    peak_sign: str
    exclude_sweep_samples: int

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that every detection kernel takes."""
        return {
            "peak_sign": self.peak_sign,
            "exclude_sweep_samples": self.exclude_sweep_samples,
        }
