"""Metrics of units computed from their mean waveforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .facts import UnitFacts


def amplitude(facts: UnitFacts) -> NDArray[np.floating[Any]]:
    """Largest absolute value of each mean waveform."""
    return facts.amplitude


def snr(facts: UnitFacts) -> NDArray[np.floating[Any]]:
    """Amplitude divided by the noise level of the peak channel."""
    return np.asarray(facts.amplitude / facts.noise)
