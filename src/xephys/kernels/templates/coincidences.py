"""Coincidences that two units lack because a template of their sum took them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.metrics.spike_trains import correlogram_counts


def missed_together(
    composites: NDArray[np.void],
    samples: NDArray[np.int64],
    units: NDArray[np.integer],
    *,
    counts: NDArray[np.integer] | NDArray[np.floating],
    duration_samples: int,
    reach_samples: int = 8,
    share_min: float = 0.5,
    gap_min: float = 0.25,
    deviation_min: float = 3.0,
) -> NDArray[np.bool_]:
    """Whether the two units of a composite lack the coincidences that it has, which means that it took them.

    Two neurons coincide as often as chance predicts, unless a template of their sum takes these spikes from both.

    Parameters
    ----------
    composites : structured array of dtype `composites.COMPOSITE`
    samples, units : (spike,) int
        Matched spikes, in order of sample; for large units, an evenly spread selection.
    counts : (unit,)
        Total number of spikes of each unit.
    duration_samples : int
        Length of the recording.
    reach_samples : int
        Maximum deviation from the delay at which a pair of spikes counts.
    share_min : float
        Minimum share of the composite's spikes that must be missing.
    gap_min : float
        Minimum share of the chance coincidences that must be missing.
    deviation_min : float
        Minimum number of standard deviations of chance by which missing coincidences must exceed it.

    Returns
    -------
    (composite,) bool

    Examples
    --------
    >>> from xephys.kernels.templates.composites import COMPOSITE
    >>> rng = np.random.default_rng(0)
    >>> samples = np.sort(rng.choice(10**6, 40_000, replace=False))
    >>> units = rng.integers(0, 2, 40_000)
    >>> pair, chosen = np.array([(2, 0, 1, 0, 5, 0.3, True)], COMPOSITE), {"counts": [20_000, 20_000, 500]}
    >>> missed_together(pair, samples, units, **chosen, duration_samples=10**6).tolist()
    [False]
    >>> apart = np.flatnonzero(np.diff(samples, prepend=-99) > 30)
    >>> missed_together(pair, samples[apart], units[apart], **chosen, duration_samples=10**6).tolist()
    [True]
    """
    missed = np.zeros(len(composites), np.bool_)
    for row, composite in enumerate(composites):
        names = ("first", "second")
        first, second = (samples[units == composite[name]] for name in names)
        n_all = float(np.prod([max(counts[composite[name]], 1) for name in names]))
        expected = len(first) * len(second) * (2 * reach_samples + 1) / duration_samples
        reach = reach_samples + 1
        lags = correlogram_counts(first, second - composite["lag"], bin_samples=1, lag_samples_max=reach)
        lacking = expected - lags[1:].sum()
        its_own = counts[composite["unit"]] * len(first) * len(second) / n_all
        missed[row] = lacking >= max(share_min * its_own, gap_min * expected, deviation_min * np.sqrt(expected), 1.0)
    return missed
