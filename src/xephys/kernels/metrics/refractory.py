"""Test whether a train, or a pair of trains, has a refractory period, from the central bins of a correlogram.

The rates near zero lag are compared with the rates farther out, and with what chance would give (Pachitariu, Sridhar,
Pennington & Stringer 2024, Nature Methods 21:914, and the documentation of Kilosort4).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from xephys.kernels.metrics.spike_trains import correlogram_counts

HALF_BINS = 500
CENTRAL_BINS = 10


class Refractoriness(NamedTuple):
    """Central rates over that of the shoulders, and the probability of so few pairs, within ±1, ±2, … ±10 ms."""

    ratios: NDArray[np.float64]
    chances: NDArray[np.float64]

    @property
    def ratio(self) -> float:
        """The smallest central rate: an upper bound on the foreign part of a train."""
        return float(self.ratios.min())

    @property
    def chance(self) -> float:
        return float(self.chances.min())


_NONE = Refractoriness(np.ones(CENTRAL_BINS), np.ones(CENTRAL_BINS))


def refractoriness(
    first: NDArray[np.int64], second: NDArray[np.int64] | None = None, *, bin_samples: int
) -> Refractoriness:
    """Statistics of the correlogram of two trains, or of one with itself.

    Pairs are counted in bins of 1 ms at lags up to 500 ms. The bin around zero, in which a sorter may report one spike
    twice or not at all, is left out. The shoulders are the means at lags of 251 to 499 ms, -50 to -11 and 10 to 49 ms.
    For each of the 10 central widths, the count is compared with the largest shoulder.

    Parameters
    ----------
    first, second : (n,), (m,) int64
        Sorted sample indices; without ``second``, the auto-correlogram of ``first``.
    bin_samples : int
        Number of samples in a bin of 1 ms.

    Returns
    -------
    ratios : (10,) float64
        0 for a perfect refractory period, about 1 without one; 1 for empty trains or those without a shoulder.
    chances : (10,) float64
        Normal approximation of the probability of so few pairs at the rate of the shoulders; 1 in the same cases.

    Raises
    ------
    ValueError
        If `bin_samples` is less than 1.

    Examples
    --------
    >>> regular = np.arange(0, 3_000_000, 600)
    >>> result = refractoriness(regular, bin_samples=30)
    >>> result.ratio, result.chance < 0.01
    (0.0, True)
    """
    if bin_samples < 1:
        raise ValueError(f"bin_samples is {bin_samples}; a bin has at least one sample")
    # Bins are centered on multiples of 1 ms: the lags are shifted by half a bin, and one more bin is counted.
    reach = (HALF_BINS + 1) * bin_samples
    other = first if second is None else second
    if not len(first) or not len(other):
        return _NONE
    counts = correlogram_counts(
        np.asarray(first, np.int64), np.asarray(other, np.int64) + bin_samples // 2, bin_samples=bin_samples,
        lag_samples_max=reach,
    ).astype(np.float64)  # fmt: skip
    zero = HALF_BINS + 1
    if second is None:
        counts[zero] -= len(first)
    far = np.concatenate([counts[zero - 499 : zero - 250], counts[zero + 251 : zero + 500]]).mean()
    left, right = counts[zero - 50 : zero - 10].mean(), counts[zero + 10 : zero + 50].mean()
    shoulder = max(far, left, right)
    if shoulder <= 0:
        return _NONE
    widths = np.arange(1, CENTRAL_BINS + 1)
    both = np.array([counts[zero - w : zero].sum() + counts[zero + 1 : zero + w + 1].sum() for w in widths])
    expected = shoulder * widths
    chance = 0.5 * (1.0 + erf((both / 2 - expected) / np.sqrt(2.0 * expected)))
    return Refractoriness(both / (2.0 * expected), chance)


def is_refractory(found: Refractoriness, *, ratio_max: float, chance_max: float) -> bool:
    """Whether, at some width, the rate is both low and improbably low by chance.

    Both must hold at the same width. A pair that fires little may by chance have no counts within ±1 ms, and somewhat
    few within ±10 ms; neither shows that it is one neuron.

    Examples
    --------
    >>> low, wide = np.linspace(0.0, 0.9, 10), np.linspace(0.2, 0.02, 10)
    >>> is_refractory(Refractoriness(low, wide), ratio_max=0.25, chance_max=0.05)
    False
    >>> is_refractory(Refractoriness(low, wide / 5), ratio_max=0.25, chance_max=0.05)
    True
    """
    return bool(((found.ratios < ratio_max) & (found.chances < chance_max)).any())
