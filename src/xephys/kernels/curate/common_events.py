"""Find units that fire with units on other parts of the probe: artifacts of the whole probe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.records import count_labels, row_blocks, rows_within

#: Minimum fraction of a unit's spikes, beyond chance, that coincide with those of an artifact elsewhere.
COMMON_FRACTION = 0.5
#: A unit smaller than this fraction of the unit with which it fires is the residual of large spikes of that unit.
ECHO_FRACTION = 0.5


def common_events(
    samples: NDArray[np.int64],
    units: NDArray[np.integer[Any]],
    channels: NDArray[np.integer[Any]],
    norms: NDArray[np.floating[Any]],
    *,
    window_samples: int,
    n_samples: int,
) -> NDArray[np.bool_]:
    """Find units most of whose spikes, beyond chance, coincide with those of one unit elsewhere on the probe.

    No two neurons do that. A stimulus or a movement that reaches every channel does, and makes a unit in each place. A
    very large spike does it too, through its residual far away; then only the echo is marked.

    Parameters
    ----------
    samples, units : (n_spikes,) int
        Sample and unit of all spikes, in order of sample.
    channels : (n_units, n_slots) int
        Channels of each template, its peak channel first. Two units are apart if neither has the other's peak channel
        among its channels.
    norms : (n_units,) float
        Norm of each template.
    window_samples : int
        Maximum lag of two coincident spikes.
    n_samples : int
        Length of the recording.

    Returns
    -------
    artifact : (n_units,) bool

    Examples
    --------
    >>> samples, units = np.array([10, 12, 500, 503, 900]), np.array([0, 1, 0, 1, 2])
    >>> places, window = np.array([[0], [9], [5]]), {"window_samples": 5, "n_samples": 1000}
    >>> common_events(samples, units, places, np.array([9.0, 8.0, 7.0]), **window).tolist()
    [True, True, False]
    >>> common_events(samples, units, places, np.array([90.0, 8.0, 7.0]), **window).tolist()
    [False, True, False]
    """
    n_units = len(channels)
    pairs = np.zeros((n_units, n_units), np.int64)
    for block in row_blocks(len(samples)):
        for step in range(1, len(samples)):
            near = rows_within(samples, block, step=step, window_samples=window_samples)
            if not near.size:
                break
            np.add.at(pairs, (units[near], units[near + step]), 1)
    counts = count_labels(units, n_labels=n_units)
    chance = counts[:, None] * counts[None, :] * (2 * window_samples + 1) / max(n_samples, 1)
    together = pairs + pairs.T - chance > COMMON_FRACTION * np.maximum(counts, 1)[:, None]
    artifact = np.zeros(n_units, bool)
    for unit, other in np.argwhere(together):
        apart = channels[unit, 0] not in channels[other] and channels[other, 0] not in channels[unit]
        artifact[unit] |= apart and norms[other] > ECHO_FRACTION * norms[unit]
    return artifact
