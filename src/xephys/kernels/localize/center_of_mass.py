"""Positions of spikes from the amplitudes of their waveforms on neighboring channels.

There are three estimates, each a feature stage: center of mass (the fastest), convolution with a grid of expected
footprints, and a fit of a point source (Boussard et al., 2021, "Three-dimensional spike localization and improved
motion correction for Neuropixels recordings"). ``x`` and ``y`` are in the plane of the contacts and ``z`` is the
distance from it, all in µm. Each event is computed separately from the samples in its window, in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.records import add_fields
from xephys.kernels.localize.channel_features import Feature, channel_sizes

POSITION_FIELDS: list[tuple[str, str, tuple[int, ...]]] = [("x", "<f8", ()), ("y", "<f8", ()), ("z", "<f8", ())]


@with_device_twin
def localize_center_of_mass(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    feature: Feature = "ptp",
    nbefore: int,
    nafter: int,
) -> NDArray[np.void]:
    """Append the feature-weighted mean position of the neighbor channels.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    events : structured ndarray
        Table with ``sample_index`` and ``channel_index``.
    before, after, start : int
        Halo rows (see `xephys.kernels.features.waveforms.window_halo`) and absolute index of the first core sample.
    positions : float64 (channel, 2)
        Contact positions, µm.
    neighbors : int32 (channel, k)
        Channels averaged for an event on each channel, padded with -1.
    feature : {"ptp", "energy", "peak_voltage"}
        Size of the waveform on a channel: peak-to-peak, L2 norm, or absolute value at the event's sample.
    nbefore, nafter : int
        The window is ``[sample - nbefore, sample + nafter)``.

    Returns
    -------
    structured ndarray
        The events with float64 fields ``x``, ``y`` and ``z``; ``z`` is 0, since a mean of contacts is in their plane.
        An event whose features are all zero is placed on its own channel.

    Raises
    ------
    ValueError
        If a window reaches outside the tile, or the feature is unknown.

    Examples
    --------
    >>> from xephys.kernels.detect.peaks import PEAK_DTYPE
    >>> traces = np.zeros((5, 2), dtype=np.float32)
    >>> traces[2] = -3, -1
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> localize_center_of_mass(traces, events, before=2, after=2, start=0, positions=np.array([[0.0, 0], [0, 20]]),
    ...                         neighbors=np.array([[0, 1], [0, 1]], dtype=np.int32),
    ...                         nbefore=2, nafter=3)["y"]
    array([5.])
    """
    n_channels = traces.shape[1]
    return localize_counts(
        traces, events, before=before, after=after, start=start, positions=positions, neighbors=neighbors,
        feature=feature, nbefore=nbefore, nafter=nafter, gains=np.ones(n_channels, np.float32),
        offsets=np.zeros(n_channels, np.float32),
    )  # fmt: skip


def localize_counts(
    traces: NDArray[Any],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    feature: Feature = "ptp",
    nbefore: int,
    nafter: int,
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> NDArray[np.void]:
    """As :func:`localize_center_of_mass` on the traces times the gain plus the offset of each channel, on the host.

    Parameters
    ----------
    traces : (before + n + after, channel)
        Such as int16.
    events, before, after, start, positions, neighbors, feature, nbefore, nafter
        As for :func:`localize_center_of_mass`.
    gains, offsets : float32 (channel,)
    """
    sizes, channels = channel_sizes(
        traces, events, before, after, start, neighbors, feature, nbefore, nafter, gains, offsets
    )
    table = add_fields(events, POSITION_FIELDS)
    table["x"], table["y"] = center_of_weights(sizes, channels, neighbors, positions.astype(np.float64)).T
    return table


@kernel
def center_of_weights(
    sizes: NDArray[np.float64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    positions: NDArray[np.float64],
) -> NDArray[np.float64]:
    centers = empty((channels.size, 2), np.float64)
    for i in range(channels.size):
        total = x = y = 0.0
        for j in range(neighbors.shape[1]):
            c = neighbors[channels[i], j]
            if c >= 0:
                total += sizes[i, j]
                x += sizes[i, j] * positions[c, 0]
                y += sizes[i, j] * positions[c, 1]
        if total > 0:
            centers[i, 0], centers[i, 1] = x / total, y / total
        else:
            # One number at a time: the assignment of an array takes Numba two more seconds to compile.
            centers[i, 0], centers[i, 1] = positions[channels[i], 0], positions[channels[i], 1]
    return centers
