"""Spike train statistics: correlogram counts, refractory contamination, unit labels.

Contamination follows Llobet, Wyngaard & Barbour (bioRxiv 2022.02.08.479192) and the sliding refractory
period of the International Brain Laboratory (2022); both in whole samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr, pdtrc

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel


@kernel
def _correlogram(
    first: NDArray[np.int64], second: NDArray[np.int64], bin_samples: int, n_half: int, same: bool
) -> NDArray[np.int64]:
    counts = zeros(2 * n_half, np.int64)
    reach = bin_samples * n_half
    start = 0
    for i in range(first.size):
        while start < second.size and second[start] - first[i] < -reach:
            start += 1
        j = start
        while j < second.size:
            lag = second[j] - first[i]
            if lag >= reach:
                break
            if not (same and i == j):
                counts[(lag + reach) // bin_samples] += 1
            j += 1
    return counts


def correlogram_counts(
    first: NDArray[np.int64],
    second: NDArray[np.int64] | None = None,
    *,
    bin_samples: int,
    lag_samples_max: int,
) -> NDArray[np.int64]:
    """Count pairs of spikes by lag.

    Parameters
    ----------
    first, second : (n,), (m,) int64
        Sorted sample indices. Without ``second``, the auto-correlogram: a spike is not paired with itself, but with
        other spikes on the same sample.
    bin_samples : int
    lag_samples_max : int
        A multiple of ``bin_samples``.

    Returns
    -------
    counts : (2 * lag_samples_max / bin_samples,) int64
        Bin b holds lags ``second − first`` in ``[b * bin_samples − lag_samples_max, … + bin_samples)``.

    Raises
    ------
    ValueError
        If ``lag_samples_max`` is not a positive multiple of ``bin_samples``.

    Examples
    --------
    >>> import numpy as np
    >>> correlogram_counts(np.array([0, 10, 13]), bin_samples=5, lag_samples_max=15)
    array([1, 1, 1, 1, 0, 2])
    """
    if bin_samples < 1 or lag_samples_max < bin_samples or lag_samples_max % bin_samples:
        raise ValueError(
            f"lag_samples_max is {lag_samples_max} and bin_samples {bin_samples}: "
            "the lag must be a positive multiple of the bin."
        )
    first = np.ascontiguousarray(first, np.int64)
    other = first if second is None else np.ascontiguousarray(second, np.int64)
    counts: NDArray[np.int64] = _correlogram(
        first, other, int(bin_samples), int(lag_samples_max // bin_samples), second is None
    )
    return counts


def coincidences(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    *,
    refractory_samples: int,
    dead_samples: int,
    duration_samples: int,
) -> tuple[int, float]:
    """Pairs of spikes of two trains within a refractory period, and the number expected for independent trains.

    Parameters
    ----------
    first, second : (n,), (m,) int64
        Sorted sample indices.
    refractory_samples, dead_samples : int
        Pairs are counted at ``dead_samples <= |lag| < refractory_samples``. At smaller lags, the detector may have
        removed spikes of any unit.
    duration_samples : int
        Length of the recording.

    Returns
    -------
    observed : int
    expected : float

    Examples
    --------
    >>> import numpy as np
    >>> coincidences(np.array([0, 100]), np.array([20, 300]), refractory_samples=45, dead_samples=15,
    ...              duration_samples=1000)
    (1, 0.24)
    """
    near = correlogram_counts(first, second, bin_samples=1, lag_samples_max=refractory_samples)
    center = refractory_samples
    # Bins start at −refractory; the open end at +refractory and the closed one at −refractory are both left out.
    observed = int(near[1 : center - dead_samples + 1].sum() + near[center + dead_samples :].sum())
    n_lags = 2 * (refractory_samples - dead_samples)
    return observed, len(first) * len(second) * n_lags / max(duration_samples, 1)


#: Trains that coincide significantly more than this, relative to independent trains, are those of two neurons.
COINCIDENCE_MAX, COINCIDENCE_SIGNIFICANCE = 0.3, 0.01


def are_two_neurons(observed: int, expected: float) -> bool:
    """Whether two trains coincide too often to be pieces of one neuron.

    Parameters
    ----------
    observed : int
    expected : float
        From `coincidences`.

    Examples
    --------
    >>> are_two_neurons(0, 12.0), are_two_neurons(12, 12.0)
    (False, True)
    """
    return bool(observed > 0 and pdtrc(observed - 1, COINCIDENCE_MAX * expected) < COINCIDENCE_SIGNIFICANCE)


def refractory_contamination(
    samples: NDArray[np.int64],
    *,
    duration_samples: int,
    refractory_samples: int,
    censored_samples: int = 0,
) -> float:
    """Fraction of a unit's spikes that come from elsewhere, from its refractory violations.

    Parameters
    ----------
    samples : (n,) int64
        Sorted sample indices.
    duration_samples : int
        Length of the recording.
    refractory_samples : int
        Pairs no farther apart than this are violations.
    censored_samples : int
        Lags at which the sorter cannot report two spikes.

    Returns
    -------
    contamination : float
        0 to 1; 1 if there are more violations than expected for independent trains; NaN for fewer than 2 spikes.

    Examples
    --------
    >>> import numpy as np
    >>> refractory_contamination(np.arange(0, 30_000, 300), duration_samples=30_000, refractory_samples=30)
    0.0
    """
    n_spikes = len(samples)
    if n_spikes < 2:
        return float("nan")
    if not 0 <= censored_samples < refractory_samples:
        raise ValueError(
            f"censored_samples is {censored_samples}: it must be from 0 to refractory_samples − 1 "
            f"({refractory_samples - 1})."
        )
    counts = correlogram_counts(samples, bin_samples=1, lag_samples_max=refractory_samples + 1)
    zero = refractory_samples + 1
    # Each pair once: lags above 0, and half of those at 0.
    violations = int(counts[zero + 1 :].sum() + counts[zero] // 2)
    span = duration_samples - 2 * n_spikes * censored_samples
    root = 1.0 - violations * span / (n_spikes**2 * (refractory_samples - censored_samples))
    return 1.0 if root < 0 else float(1.0 - np.sqrt(root))


def sliding_contamination(
    samples: NDArray[np.int64],
    *,
    duration_samples: int,
    sampling_frequency_hz: float,
    confidence: float = 0.9,
    exclude_below_ms: float = 0.5,
    refractory_max_ms: float = 10.0,
) -> float:
    """Smallest contamination that can be ruled out, for any refractory period of the unit.

    Parameters
    ----------
    samples : (n,) int64
        Sorted sample indices.
    duration_samples : int
    sampling_frequency_hz : float
    confidence : float
        Required confidence that the contamination is smaller.
    exclude_below_ms, refractory_max_ms : float
        Range of the refractory periods tried.

    Returns
    -------
    contamination : float
        0.005 to 0.35 in steps of 0.005; NaN if not even the largest value can be ruled out.

    Examples
    --------
    >>> import numpy as np
    >>> regular = np.arange(0, 300_000, 600)
    >>> sliding_contamination(regular, duration_samples=300_000, sampling_frequency_hz=30_000)
    0.005
    """
    bin_samples = max(1, round(0.25e-3 * sampling_frequency_hz))
    n_bins = max(1, round(refractory_max_ms * 1e-3 * sampling_frequency_hz / bin_samples))
    counts = correlogram_counts(samples, bin_samples=bin_samples, lag_samples_max=bin_samples * n_bins)
    violations = np.cumsum(counts[n_bins:])
    periods = (np.arange(n_bins) + 1.0) * bin_samples
    tried = periods > exclude_below_ms * 1e-3 * sampling_frequency_hz
    n_spikes = len(samples)
    for step in range(1, 71):
        foreign = 0.005 * step * n_spikes
        expected = 2.0 * periods / max(duration_samples, 1) * foreign * (n_spikes - foreign + (foreign - 1.0) / 2.0)
        certainty = 1.0 - pdtr(violations, np.maximum(expected, 0.0))
        if (certainty[tried] > confidence).any():
            return 0.005 * step
    return float("nan")
