"""Stretches in which a recording is far noisier than usual: find them, and replace them by silence.

Whether a sample is in such a stretch depends only on an equal number of samples before and after it, so the decision
does not depend on where a tile was cut. Half of a Gaussian's samples exceed 0.6745 standard deviations; even many
spikes fill only a small part of the time and hardly change that half. In a burst of a very large neuron they do,
because each spike, as filtered, takes milliseconds to fade below the noise of a quiet probe. But a burst is uneven:
most of its samples are barely above the noise, and some are many times as large, whereas hardly any sample of a
movement is four times as large as half of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.preprocess.blank.guard import blanked, within_guard

#: The levels that samples are compared with: the threshold times powers of two, this many per doubling.
STEPS_PER_DOUBLING = 4
#: Where half of the samples exceed a level, at most one in so many may exceed the level two doublings above, ...
STEPS_ABOVE, ONE_IN = 2 * STEPS_PER_DOUBLING, 20
#: ... unless half of them exceed the threshold by three doublings: no burst is that large.
N_STEPS = 3 * STEPS_PER_DOUBLING


def levels_above(thresholds: NDArray[np.floating]) -> NDArray[np.float32]:
    """The levels ``(level, channel)`` with which samples are compared, ascending from the thresholds.

    Examples
    --------
    >>> levels_above(np.array([3.0]))[::4].ravel().tolist()
    [3.0, 6.0, 12.0, 24.0, 48.0, 96.0]
    """
    factors = 2.0 ** (np.arange(N_STEPS + STEPS_ABOVE + 1) / STEPS_PER_DOUBLING)
    return np.asarray(factors[:, None] * np.asarray(thresholds, np.float64)[None], np.float32)


@kernel
def _mostly_beyond(
    traces: NDArray[np.float32], thresholds: NDArray[np.float32], n_channels_min: int, reach: int
) -> NDArray[np.bool_]:
    n_samples, n_channels = traces.shape
    found = zeros(n_samples, np.bool_)
    beyond = zeros(n_channels, np.int64)
    for t in range(-reach, n_samples):
        entering, leaving = t + reach, t - reach - 1
        noisy = 0
        for c in range(n_channels):
            if entering < n_samples:
                beyond[c] += abs(traces[entering, c]) > thresholds[c]
            if leaving >= 0:
                beyond[c] -= abs(traces[leaving, c]) > thresholds[c]
            noisy += beyond[c] > reach
        if t >= 0:
            found[t] = noisy >= n_channels_min
    return found


@helper
def _add_sample(
    counts: NDArray[np.int64], traces: NDArray[np.float32], t: int, levels: NDArray[np.float32], sign: int
) -> None:
    """Count a sample of every channel at each level that it exceeds; with ``sign`` -1, no longer."""
    for c in range(traces.shape[1]):
        size, k = abs(traces[t, c]), 0
        while k < len(levels) and size > levels[k, c]:
            counts[k, c] += sign
            k += 1


@kernel
def _evenly_beyond(
    traces: NDArray[np.float32], levels: NDArray[np.float32], found: NDArray[np.bool_], n_channels_min: int, reach: int
) -> NDArray[np.bool_]:
    """Those of the samples found above around which enough channels exceed their threshold evenly."""
    n_samples, n_channels = traces.shape
    even = zeros(n_samples, np.bool_)
    counts = zeros(levels.shape, np.int64)
    few = (2 * reach + 1) // ONE_IN
    for t in range(n_samples):
        if not found[t]:
            continue
        if t > 0 and found[t - 1]:
            if t - reach - 1 >= 0:
                _add_sample(counts, traces, t - reach - 1, levels, -1)
            if t + reach < n_samples:
                _add_sample(counts, traces, t + reach, levels, 1)
        else:
            counts[:] = 0
            for near in range(max(t - reach, 0), min(t + reach + 1, n_samples)):
                _add_sample(counts, traces, near, levels, 1)
        noisy = 0
        for c in range(n_channels):
            own = counts[N_STEPS, c] > reach
            for k in range(N_STEPS):
                own |= counts[k, c] > reach and counts[k + STEPS_ABOVE, c] <= few
            noisy += own
        even[t] = noisy >= n_channels_min
    return even


def noisy_samples(
    traces: NDArray[np.floating],
    *,
    thresholds: NDArray[np.floating],
    n_channels_min: int,
    reach_samples: int,
    guard_samples: int,
) -> NDArray[np.bool_]:
    """Mask of samples within ``guard_samples`` of one around which, on enough channels, most samples exceed the
    threshold.

    Parameters
    ----------
    traces : (n_samples, n_channels)
    thresholds : (n_channels,)
        Thresholds on the absolute value; infinite for channels to ignore.
    n_channels_min : int
        Number of channels that must agree.
    reach_samples : int
        Number of samples on either side that are examined: more than half of ``2 * reach_samples + 1`` must exceed the
        threshold, and evenly, not as the spikes of a burst do. Samples beyond the ends count as quiet.
    guard_samples : int

    Returns
    -------
    (n_samples,) bool

    Examples
    --------
    >>> traces = np.zeros((9, 1), np.float32)
    >>> traces[3:6] = 4
    >>> noisy_samples(traces, thresholds=np.array([3]), n_channels_min=1, reach_samples=1, guard_samples=1).nonzero()
    (array([2, 3, 4, 5, 6]),)
    """
    samples, levels = np.ascontiguousarray(traces, np.float32), levels_above(thresholds)
    found = _mostly_beyond(samples, levels[0], n_channels_min, reach_samples)
    if found.any():
        found = _evenly_beyond(samples, levels, found, n_channels_min, reach_samples)
    return within_guard(found, guard_samples)


@with_device_twin
def blank_noisy_stretches(
    traces: NDArray[np.floating],
    *,
    before: int,
    after: int,
    thresholds: NDArray[np.floating],
    n_channels_min: int,
    reach_samples: int,
    guard_samples: int,
) -> NDArray[np.float32]:
    """Traces without the halo, 0 on all channels wherever `noisy_samples` finds a noisy stretch.

    Parameters
    ----------
    traces : (before + n + after, n_channels)
    before, after : int
        Halo; at least ``reach_samples + guard_samples``, except at the ends of the recording.
    thresholds, n_channels_min, reach_samples, guard_samples
        See `noisy_samples`.

    Returns
    -------
    (n, n_channels) float32
        A view of ``traces`` if there is nothing to silence.

    Examples
    --------
    >>> traces = np.full((5, 1), 2, np.float32)
    >>> traces[:4] = 7
    >>> blank_noisy_stretches(traces, before=1, after=1, thresholds=np.array([3]), n_channels_min=1, reach_samples=1,
    ...                       guard_samples=0).ravel().tolist()
    [0.0, 0.0, 0.0]
    """
    found = noisy_samples(
        traces,
        thresholds=thresholds,
        n_channels_min=n_channels_min,
        reach_samples=reach_samples,
        guard_samples=guard_samples,
    )
    return blanked(traces, found, before=before, after=after)
