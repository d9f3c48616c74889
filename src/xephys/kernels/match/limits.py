"""Criteria that make a candidate a spike: limits of its gain and amplitude, and how templates overlap."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray


class LimitOptions(TypedDict, total=False):
    """Options for the limits, all with defaults (`checked_limits`).

    A spike must lower the squared residual, including the prior, by ``match_threshold²`` times ``noise_gain``, the
    variance of the noise along a template: 1 in white noise, more in filtered noise of unit variance
    (`estimate_noise_gain`). Its amplitude, as a multiple of the template, has limits and a Gaussian prior around 1 with
    standard deviation ``amplitude_std`` (``inf`` for no prior). Two spikes of one unit are more than
    ``refractory_samples`` apart.

    ``mismatch`` is the share of a spike's energy that its template may fail to explain. A later spike within
    ``guard_samples`` must gain that much more, in proportion to the similarity of the two templates, so that the
    residual of a large spike is not reported as a spike of its neighbor. ``n_sweeps`` is the number of times each spike
    is put back and decided again with the others in place.
    """

    match_threshold: float
    noise_gain: float
    amplitude_min: float
    amplitude_max: float
    amplitude_std: float
    refractory_samples: int
    mismatch: float
    guard_samples: int
    n_sweeps: int


class Limits(NamedTuple):
    """Limits in the form in which the pursuit compares them."""

    match_threshold: float
    noise_gain: float
    amplitude_precision: float
    amplitude_min: float
    amplitude_max: float
    refractory_samples: int
    mismatch: float
    guard_samples: int
    n_sweeps: int


def checked_limits(
    *,
    match_threshold: float = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_samples: int = 15,
    mismatch: float = 0.02,
    guard_samples: int = 10,
    n_sweeps: int = 1,
) -> Limits:
    """Check the limits of a match and convert them.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """
    if not 0 < amplitude_min <= 1 <= amplitude_max:
        raise ValueError(
            f"amplitude_min is {amplitude_min} and amplitude_max {amplitude_max}; they must satisfy "
            "0 < amplitude_min <= 1 <= amplitude_max (1 is the template's own size)."
        )
    if match_threshold <= 0 or noise_gain <= 0 or amplitude_std <= 0:
        raise ValueError(
            f"match_threshold is {match_threshold}, noise_gain {noise_gain} and amplitude_std {amplitude_std}; all "
            "must be positive (amplitude_std=inf leaves the amplitude free)."
        )
    return Limits(
        match_threshold=float(match_threshold),
        noise_gain=float(noise_gain),
        amplitude_precision=1.0 / amplitude_std**2,
        amplitude_min=float(amplitude_min),
        amplitude_max=float(amplitude_max),
        refractory_samples=int(refractory_samples),
        mismatch=float(mismatch),
        guard_samples=int(guard_samples),
        n_sweeps=int(n_sweeps),
    )


def minimum_scores(
    energies: NDArray[np.float64],
    match_thresholds: NDArray[np.float64] | None = None,
    *,
    limits: Limits,
) -> NDArray[np.float32]:
    """Smallest score at which a template's gain reaches ``match_threshold²`` with an amplitude within its limits.

    Parameters
    ----------
    energies : float64 array of shape (unit,)
    match_thresholds : float64 array of shape (unit,), optional
        Individual thresholds of the templates, replacing that of the limits.
    limits : Limits

    Returns
    -------
    float32 array of shape (unit,)
        Infinite for empty templates, which cannot match.

    Examples
    --------
    >>> import numpy as np
    >>> free = checked_limits(match_threshold=5.0, amplitude_std=np.inf, amplitude_min=0.1, amplitude_max=9.0)
    >>> minimum_scores(np.array([100.0, 0.0]), limits=free)
    array([50., inf], dtype=float32)
    """
    precision = limits.amplitude_precision * limits.noise_gain
    total = energies + precision
    threshold = limits.match_threshold if match_thresholds is None else match_thresholds
    gain = threshold**2 * limits.noise_gain + precision
    free = np.sqrt(gain * total)
    capped = (gain / limits.amplitude_max + limits.amplitude_max * total) / 2
    scores = np.where(free > limits.amplitude_max * total, capped, free)
    scores = np.maximum(scores, limits.amplitude_min * total) - precision
    return np.where(energies > 0, scores, np.inf).astype(np.float32)


class Pairs(NamedTuple):
    """Overlaps of templates that share channels, as rows of a compressed sparse table."""

    starts: NDArray[np.int64]
    units: NDArray[np.int32]
    overlaps: NDArray[np.float32]
    likeness: NDArray[np.float64]  # maximum share of the second template's direction in one spike of the first
    unexplained: NDArray[np.float64]  # per unit: share of a spike's energy that its template leaves; infinite: no pairs
