"""Traces at the contacts as if the tissue had not moved: weights of contacts for every displacement, and their use.

A contact that belongs at depth ``y`` is read where its tissue is now, at ``y`` plus the displacement, from the contacts
around that position. Weights are tabulated in steps of displacement; the step in use is chosen anew every few samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.motion.interpolate import value_at

#: Number of samples during which the tissue is taken to rest: one millisecond at 30 kHz.
_BLOCK = 32
#: Variance of the noise of a contact, relative to that of the interpolated field.
_KRIGING_NOISE = 0.01


def weight_table(
    positions: NDArray[np.float64],
    shanks: NDArray[np.int64],
    good: NDArray[np.bool_],
    shifts_um: NDArray[np.float64],
    *,
    method: str,
    sigma_um: float,
    power: float,
    n_nearest: int,
    border_um: float,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Contacts and weights from which each contact is interpolated, at each displacement.

    Parameters
    ----------
    positions
        ``(channel, 2)``, in µm.
    shanks
        ``(channel,)``; contacts of other shanks are not used.
    good
        ``(channel,)``; other contacts are not used.
    shifts_um
        Displacements, ``(shift,)``.
    method
        ``"kriging"``, ``"inverse_distance"`` or ``"nearest"``.
    sigma_um
        For kriging, standard deviation of the Gaussian that gives the similarity of signals at two places.
    power
        For inverse distance, power of the distance with which weights fall off.
    n_nearest
        Number of contacts used.
    border_um
        A position farther than this above or below the outermost good contacts of its shank gets no weights.

    Returns
    -------
    source, weight
        ``(shift, channel, slot)``; unused slots have weight 0 and source 0.
    """
    n_slots = 1 if method == "nearest" else min(n_nearest, int(good.sum()))
    shape = (len(shifts_um), len(positions), n_slots)
    source, weight = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for shank in np.unique(shanks):
        members = np.flatnonzero(shanks == shank)
        usable = np.flatnonzero((shanks == shank) & good)
        if len(usable) == 0:
            continue
        low, high = positions[usable, 1].min() - border_um, positions[usable, 1].max() + border_um
        own = positions[usable]
        for s, shift in enumerate(shifts_um):
            places = positions[members] + np.array([0.0, shift])
            distance = np.round(np.linalg.norm(places[:, None] - own[None], axis=2), 3)
            nearest = np.argsort(distance, axis=1, kind="stable")[:, : min(n_slots, len(usable))]
            near = np.take_along_axis(distance, nearest, axis=1)
            values = _weights(method, near, own[nearest], sigma_um, power)
            values[(places[:, 1] < low) | (places[:, 1] > high)] = 0.0
            source[s, members, : nearest.shape[1]] = usable[nearest]
            weight[s, members, : nearest.shape[1]] = values
    return source, weight


def _weights(
    method: str, distance: NDArray[np.float64], places: NDArray[np.float64], sigma_um: float, power: float
) -> NDArray[np.float64]:
    """Weights ``(channel, slot)`` from the distances to, and positions of, the contacts used."""
    if method == "nearest":
        return np.ones_like(distance)
    if method == "inverse_distance":
        values = 1 / np.maximum(distance, 1e-3) ** power
        return np.asarray(values / values.sum(axis=1, keepdims=True))
    between = np.linalg.norm(places[:, :, None] - places[:, None], axis=3)
    alike = np.exp(-0.5 * (between / sigma_um) ** 2) + _KRIGING_NOISE * np.eye(distance.shape[1])
    toward = np.exp(-0.5 * (distance / sigma_um) ** 2)
    return np.asarray(np.linalg.solve(alike, toward[..., None])[..., 0])


def shift_channels(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    sampling_frequency: float,
    origin_sample: int,
    first_shift_um: float,
    shift_step_um: float,
    depth_um: NDArray[np.float64],
    shank_index: NDArray[np.int64],
    displacement_um: NDArray[np.float32],
    cell_time_s: NDArray[np.float64],
    cell_depth_um: NDArray[np.float64],
    source: NDArray[np.int32],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Read every contact at its tissue's position at each time.

    Parameters
    ----------
    traces
        ``(before + n + after, channel)``.
    before, after
        Halo rows, which are not needed.
    start
        Absolute number of the first sample returned.
    sampling_frequency, origin_sample
        In hertz; time of sample 0, in samples.
    first_shift_um, shift_step_um
        Displacements of the table of weights.
    depth_um, shank_index
        Registered depth and shank of each contact, ``(channel,)``.
    displacement_um, cell_time_s, cell_depth_um
        The motion, ``(shank, time, depth)``, and its axes.
    source, weight
        From :func:`weight_table`, ``(shift, channel, slot)``.

    Returns
    -------
    float32 ``(n, channel)``.
    """
    core = np.ascontiguousarray(traces[before : len(traces) - after], np.float32)
    out = np.zeros_like(core)
    _shift(
        core, out, start + origin_sample, sampling_frequency, first_shift_um, shift_step_um, depth_um, shank_index,
        displacement_um, cell_time_s, cell_depth_um, source, weight,
    )  # fmt: skip
    return out


@kernel
def _shift(
    core: NDArray[np.float32],
    out: NDArray[np.float32],
    start: int,
    sampling_frequency: float,
    first_shift_um: float,
    shift_step_um: float,
    depth_um: NDArray[np.float64],
    shank_index: NDArray[np.int64],
    displacement_um: NDArray[np.float32],
    cell_time_s: NDArray[np.float64],
    cell_depth_um: NDArray[np.float64],
    source: NDArray[np.int32],
    weight: NDArray[np.float32],
) -> None:
    n_samples, n_channels = core.shape
    block = zeros((n_channels, _BLOCK), np.float32)
    mixed = zeros(_BLOCK, np.float32)
    first = 0
    while first < n_samples:
        # Blocks are aligned to the recording's time axis: the choice must not depend on where a tile or a part begins.
        number = (start + first) // _BLOCK
        last = min((number + 1) * _BLOCK - start, n_samples)
        for c in range(n_channels):
            for t in range(last - first):
                block[c, t] = core[first + t, c]
        time_s = (number + 0.5) * _BLOCK / sampling_frequency
        for c in range(n_channels):
            moved = value_at(displacement_um[shank_index[c]], cell_time_s, cell_depth_um, time_s, depth_um[c], True)
            s = min(max(int(np.round((moved - first_shift_um) / shift_step_um)), 0), len(source) - 1)
            mixed[:] = 0.0
            for k in range(source.shape[2]):
                w = weight[s, c, k]
                if w != 0.0:
                    for t in range(_BLOCK):
                        mixed[t] += w * block[source[s, c, k], t]
            for t in range(last - first):
                out[first + t, c] = mixed[t]
        first = last
