"""Find clusters that are not units: too weak, or the flanks of larger spikes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DROPPED = np.dtype([("num_spikes", np.int64), ("channel_index", np.int64), ("reason", "U40")])
"""A dropped cluster: its size, the channel on which most of its spikes peak, and the reason."""


def relabel(labels: NDArray[np.int32], target: NDArray[np.int32]) -> NDArray[np.int32]:
    """Map cluster c to ``target[c]`` (−1 drops it) and renumber without gaps, keeping the order.

    Examples
    --------
    >>> import numpy as np
    >>> relabel(np.array([0, 1, 2, -1], np.int32), np.array([-1, 2, 2], np.int32))
    array([-1,  0,  0, -1], dtype=int32)
    """
    mapped = np.append(target, np.int32(-1))[labels]
    used = np.unique(mapped[mapped >= 0])
    compact = np.full(int(used.max(initial=-1)) + 2, -1, np.int32)
    compact[used] = np.arange(len(used), dtype=np.int32)
    return compact[mapped]


def drop_weak(
    labels: NDArray[np.int32], means: NDArray[np.float64], *, noise: float, norm_min: float = 6.0
) -> NDArray[np.int32]:
    """Remove clusters whose mean is too small to be a unit.

    Threshold crossings of pure noise cluster too, because they share what made them cross. In units of the noise, the
    norm of their mean is about the detection threshold (4.5 to 6 was measured at a threshold of 4 to 5); set
    ``norm_min`` slightly above that.

    Parameters
    ----------
    labels : (n_spikes,) int32
    means : (n_clusters, n_channels, n_components) float64
    noise : float
        Standard deviation of a feature without spikes.
    norm_min : float
        Minimum norm of the mean, in units of the noise: the signal-to-noise ratio of its matched filter.

    Returns
    -------
    labels : (n_spikes,) int32
        Spikes of removed clusters are −1.

    Examples
    --------
    >>> import numpy as np
    >>> drop_weak(np.array([0, 1], np.int32), np.array([[[3.0]], [[9.0]]]), noise=1.0)
    array([-1,  0], dtype=int32)
    """
    norm = np.sqrt((means**2).sum(axis=(1, 2)))
    target = np.where(norm >= norm_min * noise, np.arange(len(means)), -1).astype(np.int32)
    return relabel(labels, target)


def part_weak(
    labels: NDArray[np.int32],
    means: NDArray[np.float64],
    channel_index: NDArray[np.int64],
    *,
    noise: float,
    n_spikes_min: int,
    norm_min: float = 6.0,
) -> NDArray[np.int32]:
    """Split clusters whose mean is too small to be a unit by the peak channels of their spikes.

    Threshold crossings of pure noise look alike wherever they occur, and form clusters that spread over many channels.
    Such a cluster can contain a unit so small that most of its spikes are not detected; the other spikes then dilute
    its mean. On its own channel the unit has the majority.

    Parameters
    ----------
    labels : (n_spikes,) int32
    means : (n_clusters, n_channels, n_components) float64
    channel_index : (n_spikes,) int64
        Peak channels.
    noise, norm_min : float
        As for :func:`drop_weak`, which afterwards decides on the parts.
    n_spikes_min : int
        Smaller parts get −1.

    Returns
    -------
    labels : (n_spikes,) int32
        The parts are numbered after all other clusters, in order of cluster, then of channel.

    Examples
    --------
    >>> import numpy as np
    >>> means = np.array([[[9.0]], [[3.0]]])
    >>> labels, channels = np.array([0, 1, 1, 1, 1, 1], np.int32), np.array([0, 0, 0, 1, 1, 2])
    >>> part_weak(labels, means, channels, noise=1.0, n_spikes_min=2)
    array([ 0,  1,  1,  2,  2, -1], dtype=int32)
    """
    weak = np.append(np.sqrt((means**2).sum(axis=(1, 2))) < norm_min * noise, False)
    rows = np.flatnonzero(weak[labels])
    places, place, counts = np.unique(
        np.stack([labels[rows], channel_index[rows]]), axis=1, return_inverse=True, return_counts=True
    )
    parts = np.where(counts >= n_spikes_min, len(means) + np.arange(places.shape[1]), -1)
    parted = labels.copy()
    parted[rows] = parts[place.ravel()]
    return relabel(parted, np.arange(len(means) + len(parts), dtype=np.int32))


def drop_misaligned(
    labels: NDArray[np.int32],
    means: NDArray[np.float64],
    basis: NDArray[np.float32],
    *,
    peak_sample: int,
    tolerance_samples: int = 6,
    fraction_min: float = 0.8,
) -> NDArray[np.int32]:
    """Remove clusters of side peaks: spikes that were detected on the flank of another, larger waveform.

    Parameters
    ----------
    labels : (n_spikes,) int32
    means : (n_clusters, n_channels, n_components) float64
    basis : (n_components, n_samples) float32
        The temporal components of the features.
    peak_sample : int
        Sample of the window at which peaks were detected.
    tolerance_samples : int
        Maximum distance of a unit's largest deflection from that sample.
    fraction_min : float
        A cluster stays if, within the tolerance, it reaches this fraction of its largest deflection.

    Returns
    -------
    labels : (n_spikes,) int32
        Spikes of removed clusters are −1.

    Examples
    --------
    >>> import numpy as np
    >>> basis = np.eye(2, 21, dtype=np.float32)[:, ::-1]
    >>> aligned = np.array([[[1.0, 0.0]]])
    >>> drop_misaligned(np.zeros(1, np.int32), aligned, basis, peak_sample=20)
    array([0], dtype=int32)
    >>> drop_misaligned(np.zeros(1, np.int32), aligned, basis, peak_sample=5)
    array([-1], dtype=int32)
    """
    target = np.arange(len(means), dtype=np.int32)
    near = slice(max(0, peak_sample - tolerance_samples), peak_sample + tolerance_samples + 1)
    for cluster, mean in enumerate(means):
        waveform = np.abs(mean @ basis)
        if waveform[:, near].max(initial=0.0) < fraction_min * waveform.max(initial=0.0):
            target[cluster] = -1
    return relabel(labels, target)


def dropped_clusters(
    before: NDArray[np.int32], after: NDArray[np.int32], channel_index: NDArray[np.int64], *, reason: str
) -> NDArray[np.void]:
    """Clusters of ``before`` that have no spike left in ``after``.

    Parameters
    ----------
    before, after : (n_spikes,) int32
    channel_index : (n_spikes,) int64
        Peak channels.
    reason : str

    Returns
    -------
    dropped : structured array of dtype `DROPPED`
        In order of their labels.

    Examples
    --------
    >>> import numpy as np
    >>> before, after = np.array([0, 1, 1, -1], np.int32), np.array([0, -1, -1, -1], np.int32)
    >>> dropped_clusters(before, after, np.array([3, 5, 5, 9]), reason="too weak").tolist()
    [(2, 5, 'too weak')]
    """
    gone = np.setdiff1d(before[before >= 0], before[after >= 0])
    places = [channel_index[before == cluster] for cluster in gone]
    return np.array([(len(place), np.bincount(place).argmax(), reason) for place in places], DROPPED)
