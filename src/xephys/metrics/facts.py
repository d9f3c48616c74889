"""Input of the unit metrics: spikes and waveform sizes in memory; nothing needs to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class UnitFacts:
    """Spikes and sizes of the units of one segment.

    Attributes
    ----------
    sample_index, unit_index
        Sample and unit of every spike, in order of sample.
    n_units, n_samples
        Number of units, and length of the recording in samples.
    sampling_frequency
        In hertz.
    amplitude
        Largest absolute value of each unit's mean waveform, in the recording's unit.
    noise
        Noise level of each unit's peak channel, in the same unit.
    """

    sample_index: NDArray[np.int64]
    unit_index: NDArray[np.integer[Any]]
    n_units: int
    n_samples: int
    sampling_frequency: float
    amplitude: NDArray[np.floating[Any]]
    noise: NDArray[np.floating[Any]]

    def samples(self, duration_ms: float) -> int:
        """Convert milliseconds to samples."""
        return round(duration_ms * 1e-3 * self.sampling_frequency)
