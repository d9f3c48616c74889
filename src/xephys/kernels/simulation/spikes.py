"""Add spikes to traces: every spike is evaluated from a continuous model of its unit.

There is no bank of sampled templates. A unit is a sum of a few components (soma, dendrite, axon). A component is a
waveform, tabulated finely in time, times a spatial profile given by a formula in micrometers. Each spike is evaluated
at its own sub-sample time, displacement, amplitude and width, and each channel at its own sampling instant. Drift,
jitter, widening and inter-sample shifts are therefore exact and cost no memory.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import KERNEL, kernel


class UnitBank(NamedTuple):
    """Units as arrays: U units of K components, waveforms tabulated in S rows.

    A component seen from a contact at lateral offset r (µm) has the amplitude ``gain / (1 + (r / length)**2)**(exponent
    / 2)``, where distances along ``axis`` are divided by ``elongation``, and fades to zero at ``radius``. It arrives
    after ``spread * |r| + propagation * max(0, r . axis)`` samples.
    """

    position: NDArray[np.float64]  # (U, 2) x, y of the soma, µm
    axis: NDArray[np.float64]  # (U, 2) unit vector along the dendrite
    elongation: NDArray[np.float64]  # (U,)
    exponent: NDArray[np.float64]  # (U,)
    radius: NDArray[np.float64]  # (U,) µm
    trough: NDArray[np.float64]  # (U,) samples from the unit's time zero to the extremum on the peak channel
    gain: NDArray[np.float64]  # (U, K) µV; 0 if the component is absent
    offset: NDArray[np.float64]  # (U, K) µm from the soma along the axis
    length: NDArray[np.float64]  # (U, K) µm
    spread: NDArray[np.float64]  # (U, K) samples / µm
    propagation: NDArray[np.float64]  # (U, K) samples / µm
    shape: NDArray[np.int64]  # (U, K) row of ``waveforms``
    waveforms: NDArray[np.float32]  # (S, L) on the fine time axis, zero at both ends
    nbefore: float  # samples from the start of a waveform to its time zero
    oversampling: float  # table entries per sample


@njit(**KERNEL, error_model="numpy")
def add_spikes(
    traces: NDArray[np.float32],
    start: int,
    time: NDArray[np.float64],
    unit: NDArray[np.int64],
    scale: NDArray[np.float32],
    stretch: NDArray[np.float32],
    displacement: NDArray[np.float32],
    bank: UnitBank,
    channel_xy: NDArray[np.float64],
    channel_shift: NDArray[np.float64],
) -> None:
    """Add spikes to traces, in place.

    Parameters
    ----------
    traces : float32 (sample, channel), µV
        Row 0 is the absolute sample ``start``.
    time : float64 (spike,)
        Absolute time in samples of the extremum on the unit's peak channel. Spikes that are partly outside are cut off.
    unit : int64 (spike,)
        Row in ``bank``.
    scale, stretch : float32 (spike,)
        Factor on the amplitude, factor on the width.
    displacement : float32 (spike,)
        Shift of the tissue along y at that moment, µm.
    bank : UnitBank
    channel_xy : float64 (channel, 2), µm
    channel_shift : float64 (channel,)
        Fraction of a sample by which a channel is sampled late (``inter_sample_shift``).
    """
    n_samples, n_channels = traces.shape
    n_components = bank.gain.shape[1]
    n_table = bank.waveforms.shape[1]
    duration = (n_table - 1) / bank.oversampling
    near = empty(n_channels, np.int64)
    weight = empty((n_channels, n_components), np.float32)
    delay = empty((n_channels, n_components), np.float64)
    for s in range(time.size):
        u = unit[s]
        radius = bank.radius[u]
        x, y = bank.position[u, 0], bank.position[u, 1] + displacement[s]
        ax, ay = bank.axis[u, 0], bank.axis[u, 1]
        n_near, longest = 0, 0.0
        for c in range(n_channels):
            dx, dy = channel_xy[c, 0] - x, channel_xy[c, 1] - y
            distance = np.sqrt(dx * dx + dy * dy)
            if distance >= radius:
                continue
            fade = 1.0
            if distance > 0.6 * radius:
                fade = np.cos(0.5 * np.pi * (distance / radius - 0.6) / 0.4) ** 2
            along, across = dx * ax + dy * ay, dx * ay - dy * ax
            for k in range(n_components):
                a = (along - bank.offset[u, k]) / bank.elongation[u]
                q = (a * a + across * across) / (bank.length[u, k] * bank.length[u, k])
                weight[n_near, k] = scale[s] * fade * bank.gain[u, k] * (1.0 + q) ** (-0.5 * bank.exponent[u])
                lag = bank.spread[u, k] * distance + bank.propagation[u, k] * max(0.0, along)
                delay[n_near, k] = lag - channel_shift[c]
                longest = max(longest, lag)
            near[n_near] = c
            n_near += 1
        if n_near == 0:
            continue
        zero = time[s] - bank.trough[u] - start
        first = max(0, int(np.floor(zero - bank.nbefore * stretch[s])) - 1)
        last = min(n_samples, int(np.ceil(zero + (duration - bank.nbefore) * stretch[s] + longest)) + 2)
        rate = bank.oversampling / stretch[s]
        origin = bank.nbefore * bank.oversampling
        for k in range(n_components):
            if bank.gain[u, k] == 0.0:
                continue
            row = bank.waveforms[bank.shape[u, k]]
            for n in range(first, last):
                for i in range(n_near):
                    at = origin + (n - zero - delay[i, k]) * rate
                    if 0.0 <= at < n_table - 1:
                        j = int(at)
                        f = np.float32(at - j)
                        traces[n, near[i]] += weight[i, k] * (row[j] + f * (row[j + 1] - row[j]))


def rest_templates(
    bank: UnitBank,
    channel_xy: NDArray[np.float64],
    *,
    nbefore: int,
    nafter: int,
    phase: float = 0.0,
) -> NDArray[np.float32]:
    """Sampled templates of all units at rest: float32 (unit, sample, channel), µV.

    Row ``nbefore`` is the extremum on the peak channel, to a fraction ``phase`` of a sample.
    """
    n_units = len(bank.position)
    templates = np.zeros((n_units, nbefore + nafter, len(channel_xy)), np.float32)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    no_shift = np.zeros(len(channel_xy))
    at = np.array([nbefore + phase])
    for u in range(n_units):
        add_spikes(templates[u], 0, at, np.array([u]), one, one, zero, bank, channel_xy, no_shift)
    return templates


@kernel
def keep_refractory(time: NDArray[np.float64], refractory: float) -> NDArray[np.bool_]:
    """Mask of the events of the sorted ``time`` that follow the last one kept by at least ``refractory``."""
    keep = zeros(time.size, np.bool_)
    last = -np.inf
    for i in range(time.size):
        if time[i] - last >= refractory:
            keep[i] = True
            last = time[i]
    return keep


@kernel
def fatigue(time: NDArray[np.float64], step: float, recovery: float) -> NDArray[np.float32]:
    """Exhaustion in [0, 1) at each spike of one sorted train.

    Every spike closes the fraction ``step`` of the gap to 1, and exhaustion decays with the time constant ``recovery``
    (in the unit of ``time``). It is 0 for a spike after a long silence and grows along a burst.
    """
    out = zeros(time.size, np.float32)
    state = 0.0
    for i in range(1, time.size):
        state = (state + step * (1.0 - state)) * np.exp(-(time[i] - time[i - 1]) / recovery)
        out[i] = state
    return out
