"""Find clusters that accompany the spikes of one unit, because they are the residual of its template."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.records import count_labels


def echoes(
    samples: NDArray[np.int64],
    labels: NDArray[np.integer[Any]],
    spike_samples: NDArray[np.int64],
    spike_units: NDArray[np.integer[Any]],
    *,
    window_samples: int,
    duration_samples: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each cluster, the largest share beyond chance that accompanies the spikes of one unit, and that unit.

    Parameters
    ----------
    samples, labels : (n_peaks,) int
        In order of sample; labels are not negative.
    spike_samples, spike_units : (n_spikes,) int
        Spikes of units, in order of sample.
    window_samples : int
        Maximum lag at which a peak accompanies a spike.
    duration_samples : int
        Length of the recording.

    Returns
    -------
    shares : (n_clusters,) float64
    units : (n_clusters,) int64
        0 if there are no spikes.

    Examples
    --------
    >>> samples, labels = np.array([12, 50, 112, 212]), np.array([0, 1, 0, 0])
    >>> shares, units = echoes(samples, labels, np.array([10, 110, 130, 210]), np.array([3, 3, 0, 3]),
    ...                        window_samples=5, duration_samples=10**6)
    >>> shares.round(2).tolist(), units.tolist()
    ([1.0, 0.0], [3, 1])
    """
    n_clusters, n_units = int(labels.max(initial=-1)) + 1, max(int(spike_units.max(initial=-1)) + 1, 1)
    together = np.zeros((n_clusters, n_units))
    first = np.searchsorted(spike_samples, samples - window_samples)
    last = np.searchsorted(spike_samples, samples + window_samples, side="right")
    counted = np.zeros((0, 3), np.int64)
    for step in range(int((last - first).max(initial=0))):
        near = np.flatnonzero(first + step < last)
        found = np.stack([near, labels[near], spike_units[first[near] + step]], axis=1)
        counted = np.unique(np.concatenate([counted, found]), axis=0)  # two spikes of one unit count once
    np.add.at(together, (counted[:, 1], counted[:, 2]), 1)
    counts = count_labels(labels, n_labels=n_clusters)
    rates = count_labels(spike_units, n_labels=n_units) / max(duration_samples, 1)
    chance = counts[:, None] * np.minimum(rates[None, :] * (2 * window_samples + 1), 1.0)
    beyond = together - chance
    units = beyond.argmax(axis=1)
    return np.maximum(beyond[np.arange(n_clusters), units], 0.0) / np.maximum(counts, 1), units


def spikes_that_left(
    peaks: NDArray[np.int64], spike_samples: NDArray[np.int64], *, window_samples: int
) -> NDArray[np.int64]:
    """The spikes of a unit nearest to the peaks in the residual of its template.

    Parameters
    ----------
    peaks : (n_peaks,) int64
        Peaks in the residual, in order.
    spike_samples : (n_spikes,) int64
        Spikes of the unit, in order.
    window_samples : int
        Maximum lag between a peak and the spike of which it is the residual.

    Returns
    -------
    rows : (n,) int64
        Rows of the spikes, ascending.

    Examples
    --------
    >>> spikes_that_left(np.array([3004, 7001, 8500]), np.arange(10) * 1000, window_samples=10).tolist()
    [3, 7]
    """
    if not len(spike_samples):
        return np.empty(0, np.int64)
    after = np.searchsorted(spike_samples, peaks).clip(max=len(spike_samples) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(spike_samples[before] - peaks) <= np.abs(spike_samples[after] - peaks)
    nearest = np.where(is_before, before, after)
    return np.asarray(np.unique(nearest[np.abs(spike_samples[nearest] - peaks) <= window_samples]), np.int64)


def mean_likeness(own: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Cosine of the means of two sets of projections on the same channels.

    A template takes the spikes of a neuron without a template if it explains a good part of them. Their residual looks
    like that of the template's own spikes where these vary, but their waveforms have another shape.

    Parameters
    ----------
    own, others : (n, k, component) float32

    Examples
    --------
    >>> own, others = np.full((3, 2, 1), 4, np.float32), np.full((9, 2, 1), 7, np.float32)
    >>> round(mean_likeness(own, others), 6)
    1.0
    """
    means = [part.mean(axis=0, dtype=np.float64).ravel() for part in (own, others)]
    norms = np.prod([np.linalg.norm(mean) for mean in means])
    return float(means[0] @ means[1] / max(float(norms), 1e-30))
