"""Templates as streamed mean waveforms.

Waveforms are stored on a table of channels per unit, (unit, slot) with -1 for an empty slot, so that memory grows with
units × nearby channels instead of units × channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import inner, kernel
from xephys.kernels.lib.lanes import add, load_f64, prefetch, store

__all__ = [
    "accumulate_waveforms",
    "align_templates",
    "nearest_channels",
    "template_peak_channels",
    "template_positions",
]


def nearest_channels(
    positions_um: NDArray[np.floating],
    *,
    peak_channels: NDArray[np.integer],
    n_channels_max: int,
    radius_um: float = np.inf,
    groups: NDArray[np.integer] | None = None,
) -> NDArray[np.int32]:
    """Channels near each unit's peak channel, nearest first.

    Parameters
    ----------
    positions_um : array of shape (channel, 2 or 3)
    peak_channels : integer array of shape (unit,)
    n_channels_max : int
        Slots per unit.
    radius_um : float
        Channels farther away are left out.
    groups : integer array of shape (channel,), optional
        Channels of groups other than the peak channel's are left out.

    Returns
    -------
    int32 array of shape (unit, min(n_channels_max, n_channels))
        Channel of each slot, -1 where empty. Ties in distance are in order of channel.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.array([[0, 0], [0, 20], [0, 40.0]])
    >>> nearest_channels(line, peak_channels=np.array([0, 2]), n_channels_max=3, radius_um=25)
    array([[ 0,  1, -1],
           [ 2,  1, -1]], dtype=int32)
    """
    distance = np.linalg.norm(positions_um[peak_channels][:, None] - positions_um[None], axis=2)
    if groups is not None:
        distance[groups[peak_channels][:, None] != groups[None]] = np.inf
    order = np.argsort(distance, axis=1, kind="stable")[:, :n_channels_max]
    reached = np.take_along_axis(distance, order, axis=1)
    near = (reached <= radius_um) & np.isfinite(reached)
    return np.where(near, order, -1).astype(np.int32)


@kernel
def _add_waveforms(  # type: ignore[no-untyped-def]
    traces, n_channels, rows, borders, channels, slots, sums
):
    total = empty(sums.shape[1] * sums.shape[2], np.float64)
    _add_by_unit(traces, n_channels, rows, borders, channels, slots, sums, total)


@inner
def _add_by_unit(  # type: ignore[no-untyped-def]
    traces, n_channels, rows, borders, channels, slots, sums, total
):
    """Add the spikes of one unit after the other, on its channels in ascending order.

    The sums of one unit stay in the cache, and neighbouring channels are added by vectors.
    """
    n_units, n_samples, n_slots = sums.shape
    for unit in range(n_units):
        if borders[unit] == borders[unit + 1]:
            continue
        total[:] = 0.0
        first = 0
        while first < n_slots:
            last = first + 1
            while last < n_slots and channels[unit, last] == channels[unit, last - 1] + 1:
                last += 1
            for spike in range(borders[unit], borders[unit + 1]):
                here = rows[spike] * n_channels + channels[unit, first]
                ahead = (rows[min(spike + 1, rows.size - 1)] - rows[spike]) * n_channels
                _add_rows(traces, here, n_channels, ahead, total, first, n_slots, n_samples, last - first)
            first = last
        for t in range(n_samples):
            for k in range(n_slots):
                sums[unit, t, slots[unit, k]] = total[t * n_slots + k]


@inner
def _add_rows(traces, here, step, ahead, total, there, total_step, n_rows, width):  # type: ignore[no-untyped-def]
    """Add rows of ``width`` consecutive values, and fetch those of the next spike, which lie ``ahead`` of them."""
    whole = width // 8 * 8
    for t in range(n_rows):
        source, target = here + t * step, there + t * total_step
        for k in range(0, width, 16):
            prefetch(traces, source + ahead + k)
        for k in range(0, whole, 8):
            store(total, target + k, add(load_f64(total, target + k), load_f64(traces, source + k)))
        for k in range(whole, width):
            total[target + k] += traces[source + k]


@with_device_twin
def accumulate_waveforms(
    traces: NDArray[np.float32 | np.int16],
    *,
    before: int,
    after: int,
    start: int,
    samples: NDArray[np.int64],
    units: NDArray[np.integer],
    channels: NDArray[np.int32],
    nbefore: int,
    nafter: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum of the waveforms of each unit's spikes in one tile: a partial sum for a tree reduction.

    Parameters
    ----------
    traces : float32 or int16 array of shape (before + n + after, channel)
    before, after, start : int
        Rows before and after the core, and the absolute sample of the core's first row.
    samples : int64 array of shape (spike,)
        Absolute sample of each spike, ascending. Spikes outside the core belong to other tiles.
    units : integer array of shape (spike,)
    channels : int32 array of shape (unit, slot)
        Channels on which each unit is summed, -1 where empty.
    nbefore, nafter : int
        Samples of the waveform before, and from, the spike's sample.

    Returns
    -------
    sums : float64 array of shape (unit, nbefore + nafter, slot)
        Zero in empty slots.
    counts : int64 array of shape (unit,)

    Raises
    ------
    ValueError
        If the halo is shorter than the waveform.

    Examples
    --------
    >>> import numpy as np
    >>> traces = np.arange(10, dtype=np.float32)[:, None]
    >>> sums, counts = accumulate_waveforms(
    ...     traces, before=2, after=2, start=100, samples=np.array([101, 103, 106]), units=np.array([0, 0, 0]),
    ...     channels=np.zeros((1, 1), np.int32), nbefore=1, nafter=2)
    >>> sums[0, :, 0].tolist(), counts.tolist()
    ([6.0, 8.0, 10.0], [2])
    """
    if nbefore > before or nafter - 1 > after:
        raise ValueError(
            f"the halo of {before} + {after} samples is shorter than the waveform's {nbefore} + {nafter - 1}: "
            "give the stage the waveform's length as its halo."
        )
    stop = start + traces.shape[0] - before - after
    first, last = np.searchsorted(samples, [start, stop])
    owners = units[first:last]
    by_unit = np.argsort(owners, kind="stable")  # the order in which each sum is rounded is still that of time
    rows = (samples[first:last] - start + before - nbefore)[by_unit].astype(np.int64)
    counts = np.bincount(owners, minlength=channels.shape[0]).astype(np.int64)
    borders = np.append(0, np.cumsum(counts))
    slots = np.argsort(channels, axis=1, kind="stable")
    ascending = np.maximum(np.take_along_axis(channels, slots, axis=1), 0).astype(np.int64)
    sums = np.zeros((channels.shape[0], nbefore + nafter, channels.shape[1]))
    contiguous = np.ascontiguousarray(traces)
    _add_waveforms(contiguous.reshape(-1), traces.shape[1], rows, borders, ascending, slots, sums)
    sums.transpose(0, 2, 1)[channels < 0] = 0.0  # summed anyway, which is quicker than testing every sample
    return sums, counts


def template_peak_channels(templates: NDArray[np.floating], *, channels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Channel with the largest peak-to-peak amplitude of each template; -1 for an empty template.

    Parameters
    ----------
    templates : array of shape (unit, sample, slot)
    channels : int32 array of shape (unit, slot)

    Returns
    -------
    int64 array of shape (unit,)

    Examples
    --------
    >>> import numpy as np
    >>> template_peak_channels(np.array([[[0, 1.0], [0, -2.0]]]), channels=np.array([[4, 7]], np.int32))
    array([7])
    """
    if templates.shape[0] == 0:
        return np.zeros(0, np.int64)
    amplitude = np.where(channels >= 0, np.ptp(templates, axis=1), -1.0)
    slot = amplitude.argmax(axis=1)[:, None]
    peak = np.take_along_axis(channels, slot, axis=1)[:, 0].astype(np.int64)
    return np.where(np.take_along_axis(amplitude, slot, axis=1)[:, 0] > 0, peak, -1)


def align_templates(
    templates: NDArray[np.floating], *, channels: NDArray[np.int32], nbefore: int, shift_samples_max: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Shift each template so that the largest deflection on its main channel is at sample `nbefore`.

    Parameters
    ----------
    templates : array of shape (unit, sample, slot)
    channels : int32 array of shape (unit, slot)
    nbefore : int
    shift_samples_max : int
        Maximum distance from `nbefore` at which the deflection is sought.

    Returns
    -------
    templates : float64 array of shape (unit, sample, slot)
        Samples shifted in from outside are zero.
    shifts : int64 array of shape (unit,)
        Samples to add to the spikes of each unit, so that they mark the deflection.

    Examples
    --------
    >>> import numpy as np
    >>> moved, shifts = align_templates(np.array([[[0], [0], [-5], [2.0]]]), channels=np.array([[0]], np.int32),
    ...                                 nbefore=1, shift_samples_max=2)
    >>> moved[0, :, 0].tolist(), shifts.tolist()
    ([0.0, -5.0, 2.0, 0.0], [1])
    """
    n_units, n_samples, _ = templates.shape
    aligned = np.zeros(templates.shape)
    shifts = np.zeros(n_units, np.int64)
    first, last = max(nbefore - shift_samples_max, 0), min(nbefore + shift_samples_max + 1, n_samples)
    for unit in range(n_units):
        amplitude = np.where(channels[unit] >= 0, np.ptp(templates[unit], axis=0), -1.0)
        main = templates[unit, first:last, int(amplitude.argmax())]
        shift = first + int(np.abs(main).argmax()) - nbefore if np.any(main) else 0
        shifts[unit] = shift
        taken = templates[unit, max(shift, 0) : n_samples + min(shift, 0)]
        aligned[unit, max(-shift, 0) : max(-shift, 0) + taken.shape[0]] = taken
    return aligned, shifts


def template_positions(
    templates: NDArray[np.floating], *, channels: NDArray[np.int32], positions_um: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Center of mass of each template: contacts weighted by their peak-to-peak amplitude.

    Parameters
    ----------
    templates : array of shape (unit, sample, slot)
    channels : int32 array of shape (unit, slot)
    positions_um : array of shape (channel, 2 or 3)

    Returns
    -------
    float64 array of shape (unit, 2 or 3)
        NaN for an empty template.

    Examples
    --------
    >>> import numpy as np
    >>> template_positions(np.array([[[0, 0.0], [3.0, 1.0]]]), channels=np.array([[0, 1]], np.int32),
    ...                    positions_um=np.array([[0, 0], [0, 40.0]]))
    array([[ 0., 10.]])
    """
    weights = np.where(channels >= 0, np.ptp(templates, axis=1), 0.0)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.full_like(weights, np.nan), where=total > 0)
    contacts = np.asarray(positions_um, np.float64)[np.maximum(channels, 0)]
    return np.asarray(np.einsum("uk,ukd->ud", weights, contacts))
