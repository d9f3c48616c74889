"""Stretches in which a recording is far noisier than usual: find them, and replace them by silence.

Whether a sample is in such a stretch depends only on an equal number of samples before and after it, so the decision
does not depend on where a tile was cut. Half of a Gaussian's samples exceed 0.6745 standard deviations; even many
spikes fill only a small part of the time and hardly change that half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel
from xephys.kernels.preprocess.blank.guard import blanked, within_guard


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
        threshold. Samples beyond the ends count as quiet.
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
    found = _mostly_beyond(
        np.ascontiguousarray(traces, np.float32),
        np.ascontiguousarray(thresholds, np.float32),
        n_channels_min,
        reach_samples,
    )
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
