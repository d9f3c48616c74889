"""Find bad channels, and interpolate them from their neighbors.

The labels follow the International Brain Laboratory's method (IBL et al. 2022, "Spike sorting pipeline for the
International Brain Laboratory", figshare): how well each channel follows the median of all channels, relative to its
vicinity, and how much power it has near the Nyquist frequency.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from xephys.kernels.lib.core import core_rows
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel

GOOD, DEAD, NOISE, OUTSIDE = range(4)
LABELS = ("good", "dead", "noise", "outside")  # names of the four codes


class ChannelFeatures(NamedTuple):
    """Features from which `label_channels` decides, each of shape (channel,).

    Attributes
    ----------
    local_similarity
        Similarity to the median of all channels, minus its trend along the probe. Dead channels are near −1.
    trend
        That trend: about 1 in the brain, near 0 outside.
    high_power
        Mean power spectral density near the Nyquist frequency, in the traces' unit²/Hz.
    """

    local_similarity: NDArray[np.float64]
    trend: NDArray[np.float64]
    high_power: NDArray[np.float64]


def channel_features(
    traces: NDArray[Any],
    *,
    sampling_frequency: float,
    window_ms: float = 10.0,
    nyquist_fraction: float = 0.8,
    n_neighbors: int = 11,
) -> ChannelFeatures:
    """Similarity and high-frequency power of each channel in one excerpt of high-passed traces.

    Parameters
    ----------
    traces
        Shape (sample, channel), µV, high-passed at 300 Hz, **channels in order of depth**. 0.3 s is usual.
    sampling_frequency
        Hz.
    window_ms
        Length of the Hann windows of the spectrum (Welch).
    nyquist_fraction
        Power above this fraction of the Nyquist frequency is averaged.
    n_neighbors
        Odd number of channels in the running median that gives the trend; the window shrinks towards the ends.

    Returns
    -------
    ChannelFeatures

    Raises
    ------
    ValueError
        If the excerpt is shorter than a window or ``n_neighbors`` is even.

    Examples
    --------
    >>> import numpy as np
    >>> common = np.sin(np.arange(3000.0))[:, None]
    >>> features = channel_features(common * [1.0, 1.0, 0.0, 1.0, 1.0], sampling_frequency=30_000, n_neighbors=3)
    >>> features.local_similarity.round(6) + 0.0
    array([ 0.,  0., -1.,  0.,  0.])
    """
    samples = round(window_ms * 1e-3 * sampling_frequency)
    if len(traces) < samples:
        raise ValueError(f"{len(traces)} samples are fewer than a window of {samples}; give longer excerpts")
    if n_neighbors < 1 or n_neighbors % 2 == 0:
        raise ValueError(f"n_neighbors is {n_neighbors}, but must be odd so that the window has a middle")
    centered = traces.astype(np.float64)
    centered -= centered.mean(axis=0)
    frequency, power = welch(centered, fs=sampling_frequency, window="hann", nperseg=samples, axis=0)
    high_power = power[frequency > nyquist_fraction * sampling_frequency / 2].mean(axis=0)
    reference = np.median(centered, axis=1)
    energy = float(reference @ reference)
    # Without a common signal, no channel is similar to it.
    similarity = reference @ centered / energy if energy > 0 else np.zeros(centered.shape[1])
    trend = _running_median(similarity, n_neighbors)
    return ChannelFeatures(similarity - trend, trend, high_power)


def label_channels(
    features: ChannelFeatures,
    *,
    dead_threshold: float = -0.5,
    noise_threshold: float = 1.0,
    noise_power: float = 0.02,
    outside_threshold: float = -0.75,
    outside: Literal["top", "bottom", "both"] = "top",
) -> NDArray[np.int8]:
    """Label the channels of one excerpt.

    Parameters
    ----------
    features
        From `channel_features`.
    dead_threshold
        A channel is dead if its local similarity is below this.
    noise_threshold, noise_power
        A channel is noise if its local similarity exceeds the first or its power (µV²/Hz) the second.
    outside_threshold
        A channel is outside the brain if the trend is below 1 + this, in an unbroken run up to the end of the probe.
    outside
        Which end may be outside; ``"top"`` is the end of the depth order.

    Returns
    -------
    ndarray
        Shape (channel,), int8: 0 good, 1 dead, 2 noise, 3 outside, the highest code that applies; names in ``LABELS``.

    Raises
    ------
    ValueError
        If ``outside`` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> features = ChannelFeatures(np.array([0.0, -1.0, 0.0, 0.0]), np.array([1, 1, 1, 0.1]), np.array([0, 0, 1.0, 0]))
    >>> [LABELS[code] for code in label_channels(features)]
    ['good', 'dead', 'noise', 'outside']
    """
    if outside not in ("top", "bottom", "both"):
        raise ValueError(f'outside is {outside!r}, but must be "top", "bottom" or "both"')
    labels = np.full(len(features.trend), GOOD, np.int8)
    labels[features.local_similarity < dead_threshold] = DEAD
    labels[(features.high_power > noise_power) | (features.local_similarity > noise_threshold)] = NOISE
    below = features.trend < 1 + outside_threshold
    if outside in ("top", "both"):
        labels[np.logical_and.accumulate(below[::-1])[::-1]] = OUTSIDE
    if outside in ("bottom", "both"):
        labels[np.logical_and.accumulate(below)] = OUTSIDE
    return labels


def most_common_labels(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Each channel's most frequent label over excerpts, given shape (excerpt, channel); ties go to the lower code.

    >>> import numpy as np
    >>> most_common_labels(np.array([[0, 1, 2], [0, 1, 0], [3, 0, 0]], dtype="int8"))
    array([0, 1, 0], dtype=int8)
    """
    votes = np.stack([(labels == code).sum(axis=0) for code in range(len(LABELS))])
    winners: NDArray[np.int8] = votes.argmax(axis=0).astype(np.int8)
    return winners


def outlying_channels(levels: NDArray[np.floating], *, factor: float = 5.0) -> NDArray[np.bool_]:
    """Channels whose noise level exceeds ``factor`` × the median level.

    >>> import numpy as np
    >>> outlying_channels(np.array([9.0, 10.0, 11.0, 80.0]))
    array([False, False, False,  True])
    """
    outlying: NDArray[np.bool_] = levels > factor * np.median(levels)
    return outlying


def interpolation_weights(
    positions: NDArray[np.floating],
    bad: NDArray[np.integer],
    *,
    sigma_um: float | None = None,
    exponent: float = 1.3,
    smallest_weight: float = 0.005,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Good channels, and their weights, from which each bad channel is interpolated: ∝ exp(−(distance/σ)^1.3).

    Parameters
    ----------
    positions
        Shape (channel, 2 or 3), µm.
    bad
        Indices of the bad channels.
    sigma_um
        σ; if None, the most common step between successive depths (the second coordinate).
    exponent
        Power of the distance.
    smallest_weight
        Weights below this are dropped, both before and after weights are normalized to sum to 1.

    Returns
    -------
    neighbors
        Shape (bad, k), int32, ascending, padded with −1.
    Shape (bad, k), float32; each row sums to 1, except for what the second drop removes.
        Shape (bad, k), float32; each row sums to 1 within what the second drop removes.

    Raises
    ------
    ValueError
        If a bad channel has no good one near enough, or σ cannot be derived from the positions.

    Examples
    --------
    >>> import numpy as np
    >>> positions = np.array([[0, 0], [0, 20], [0, 40], [0, 400]])
    >>> interpolation_weights(positions, np.array([1]))
    (array([[0, 2]], dtype=int32), array([[0.5, 0.5]], dtype=float32))
    """
    places = np.asarray(positions, np.float64)
    broken = np.asarray(bad, np.int64)
    if sigma_um is None:
        steps, counts = np.unique(np.diff(np.unique(places[:, 1])), return_counts=True)
        if len(steps) == 0:
            raise ValueError("all channels are at one depth, which gives no distance scale; give sigma_um")
        sigma_um = float(steps[counts.argmax()])
    good = np.setdiff1d(np.arange(len(places)), broken)
    distances = np.linalg.norm(places[broken, None] - places[None, good], axis=2)
    kernel = np.exp(-((distances / sigma_um) ** exponent))
    kernel[kernel < smallest_weight] = 0
    totals = kernel.sum(axis=1, keepdims=True)
    if np.any(totals == 0):
        lonely = int(broken[np.argmax(totals[:, 0] == 0)])
        raise ValueError(f"bad channel {lonely} has no good channel near it; raise sigma_um ({sigma_um:g}) or drop it")
    kernel /= totals
    kernel[kernel < smallest_weight] = 0
    k = int((kernel > 0).sum(axis=1).max(initial=1))
    neighbors = np.full((len(broken), k), -1, np.int32)
    weights = np.zeros((len(broken), k), np.float32)
    for row in range(len(broken)):
        used = np.flatnonzero(kernel[row])
        neighbors[row, : len(used)] = good[used]
        weights[row, : len(used)] = kernel[row, used]
    return neighbors, weights


@with_device_twin
def interpolate_channels(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    neighbors: NDArray[np.integer],
    weights: NDArray[np.floating],
    bad: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Replace bad channels by weighted sums of others; the other channels are unchanged.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    neighbors, weights
        Shape (bad, k), from `interpolation_weights`. Index −1 is skipped; no neighbor may itself be bad.
    bad
        Shape (bad,): indices of the channels to replace.

    Returns
    -------
    ndarray
        Shape (n, channel), float32.

    Raises
    ------
    ValueError
        If shapes disagree, an index is out of range, or a neighbor is bad.

    Examples
    --------
    >>> import numpy as np
    >>> neighbors, weights = np.array([[0, 2]]), np.array([[0.5, 0.5]])
    >>> interpolate_channels(np.array([[1, 99, 3]]), neighbors=neighbors, weights=weights, bad=np.array([1]))
    array([[1., 2., 3.]], dtype=float32)
    """
    filled = core_rows(traces, before, after).astype(np.float32)
    broken, near = checked_neighbors(neighbors, weights, bad, channels=traces.shape[1])
    _fill(filled, np.ascontiguousarray(near), np.asarray(weights, np.float32), broken)
    return filled


def checked_neighbors(
    neighbors: NDArray[np.integer], weights: NDArray[np.floating], bad: NDArray[np.integer], *, channels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bad channels and their neighbors as int64, after checking them."""
    broken, near = np.asarray(bad, np.int64), np.asarray(neighbors, np.int64)
    if near.shape != weights.shape or near.ndim != 2 or len(near) != len(broken):
        raise ValueError(
            f"neighbors {near.shape} and weights {weights.shape} must have {len(broken)} rows, one a bad channel"
        )
    indices = np.concatenate([broken, near[near >= 0]])
    if indices.size and (indices.min() < 0 or indices.max() >= channels or near.min(initial=-1) < -1):
        raise ValueError(f"bad and neighbors must be channel indices below {channels} (-1: no neighbor)")
    if np.isin(near, broken).any():
        raise ValueError("a neighbor is itself bad; make the weights with all bad channels listed")
    return broken, near


def _running_median(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Running median over ``width`` values, fewer at the ends."""
    padded = np.pad(values, width // 2, constant_values=np.nan)
    medians: NDArray[np.float64] = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return medians


@kernel
def _fill(filled, neighbors, weights, bad):  # type: ignore[no-untyped-def]
    for t in range(len(filled)):
        for b in range(len(bad)):
            total = np.float32(0)
            for j in range(neighbors.shape[1]):
                if neighbors[b, j] >= 0:
                    total += filled[t, neighbors[b, j]] * weights[b, j]
            filled[t, bad[b]] = total
