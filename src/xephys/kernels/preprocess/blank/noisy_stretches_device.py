"""Noisy stretches on a device: counts over a window, as differences of a running sum of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_it_is, resident
from xephys.kernels.preprocess.blank.guard_device import blanked, within_guard
from xephys.kernels.preprocess.blank.noisy_stretches import N_STEPS, ONE_IN, STEPS_ABOVE, levels_above


def blank_noisy_stretches(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    thresholds: NDArray[np.float32],
    n_channels_min: int,
    reach_samples: int,
    guard_samples: int,
) -> Any:
    """As `xephys.kernels.preprocess.blank.noisy_stretches.blank_noisy_stretches`."""
    samples = abs(traces.astype(np.float32))
    quiet = xp.zeros((reach_samples, traces.shape[1]), dtype=np.int64)
    first = xp.zeros((1, traces.shape[1]), dtype=np.int64)
    mostly, hardly = [], []
    for level in levels_above(thresholds):
        beyond = (samples > resident(xp, as_it_is, level)).astype(np.int64)
        sums = xp.cumsum(xp.concatenate([first, quiet, beyond, quiet]), axis=0)
        counts = sums[2 * reach_samples + 1 :] - sums[: len(traces)]
        mostly.append(counts > reach_samples)
        hardly.append(counts <= (2 * reach_samples + 1) // ONE_IN)
    even = mostly[N_STEPS]
    for k in range(N_STEPS):
        even = even | (mostly[k] & hardly[k + STEPS_ABOVE])
    noisy = even.sum(axis=1) >= n_channels_min
    return blanked(xp, traces, within_guard(xp, noisy, guard_samples), before=before, after=after)
