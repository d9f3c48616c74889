"""Artifacts that reach most channels at once: find them, and replace them by silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel
from xephys.kernels.preprocess.blank.guard import blanked, within_guard


@kernel
def _crowded_samples(
    traces: NDArray[np.float32],
    thresholds: NDArray[np.float32],
    n_channels_min: int,
    peak_fraction: float,
    guard_samples: int,
) -> NDArray[np.bool_]:
    n_samples, n_channels = traces.shape
    found = zeros(n_samples, np.bool_)
    for t in range(n_samples):
        count = 0
        for c in range(n_channels):
            count += abs(traces[t, c]) > thresholds[c]
        if count < n_channels_min:
            continue
        peak = np.float32(0.0)
        for near in range(max(t - guard_samples, 0), min(t + guard_samples + 1, n_samples)):
            for c in range(n_channels):
                if np.isfinite(thresholds[c]):
                    peak = max(peak, abs(traces[near, c]))
        low, count = np.float32(peak_fraction) * peak, 0
        for c in range(n_channels):
            count += abs(traces[t, c]) > max(thresholds[c], low)
        found[t] = count >= n_channels_min
    return found


def artifact_samples(
    traces: NDArray[np.floating],
    *,
    thresholds: NDArray[np.floating],
    n_channels_min: int,
    peak_fraction: float,
    guard_samples: int,
) -> NDArray[np.bool_]:
    """Mask of samples within ``guard_samples`` of one at which many channels exceed their threshold by similar amounts.

    Parameters
    ----------
    traces : (n_samples, n_channels)
    thresholds : (n_channels,)
        Thresholds on the absolute value; infinite for channels to ignore.
    n_channels_min : int
        Minimum number of channels of an artifact.
    peak_fraction : float
        These channels must also exceed this fraction of the largest value within ``guard_samples``: a large spike
        exceeds the noise on many channels of a short probe, but is far smaller on most of them than at its center.
    guard_samples : int

    Returns
    -------
    (n_samples,) bool

    Examples
    --------
    >>> import numpy as np
    >>> traces = np.zeros((7, 2), np.float32)
    >>> traces[3] = 9
    >>> artifact_samples(traces, thresholds=np.full(2, 5), n_channels_min=2, peak_fraction=0.25,
    ...                  guard_samples=1).tolist()
    [False, False, True, True, True, False, False]
    """
    found = _crowded_samples(
        np.ascontiguousarray(traces, np.float32),
        np.ascontiguousarray(thresholds, np.float32),
        n_channels_min,
        peak_fraction,
        guard_samples,
    )
    return within_guard(found, guard_samples)


@with_device_twin
def blank_common_artifacts(
    traces: NDArray[np.floating],
    *,
    before: int,
    after: int,
    thresholds: NDArray[np.floating],
    n_channels_min: int,
    peak_fraction: float,
    guard_samples: int,
) -> NDArray[np.float32]:
    """Traces without the halo, 0 on all channels wherever `artifact_samples` finds an artifact.

    Parameters
    ----------
    traces : (before + n + after, n_channels)
    before, after : int
        Halo; at least twice ``guard_samples``, except at the ends of the recording.
    thresholds, n_channels_min, peak_fraction, guard_samples
        See `artifact_samples`.

    Returns
    -------
    (n, n_channels) float32
        A view of ``traces`` if there is no artifact.
    """
    found = artifact_samples(
        traces,
        thresholds=thresholds,
        n_channels_min=n_channels_min,
        peak_fraction=peak_fraction,
        guard_samples=guard_samples,
    )
    return blanked(traces, found, before=before, after=after)
