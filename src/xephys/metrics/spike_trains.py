"""Metrics of units computed from their spike times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .facts import UnitFacts

#: Refractory period of a neuron, and the censored period, within which the matcher reports only one of two spikes.
CONTAMINATION_REFRACTORY_MS, CONTAMINATION_CENSORED_MS = 1.5, 0.5


def num_spikes(facts: UnitFacts) -> NDArray[np.int64]:
    """Number of spikes of each unit."""
    return np.bincount(facts.unit_index, minlength=facts.n_units)


def firing_rate(facts: UnitFacts) -> NDArray[np.float64]:
    """Number of spikes of each unit per second of the recording."""
    return np.asarray(num_spikes(facts) * facts.sampling_frequency / facts.n_samples)


def contamination(facts: UnitFacts) -> NDArray[np.floating[Any]]:
    """Fraction of each unit's spikes that come from elsewhere, from its refractory violations (Hill et al. 2011)."""
    from ..kernels.metrics.trains import refractory_contaminations

    return refractory_contaminations(
        facts.sample_index,
        facts.unit_index,
        n_units=facts.n_units,
        duration_samples=facts.n_samples,
        refractory_samples=facts.samples(CONTAMINATION_REFRACTORY_MS),
        censored_samples=facts.samples(CONTAMINATION_CENSORED_MS),
    )
