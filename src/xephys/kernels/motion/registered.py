"""Features of spikes as they would be if the tissue had not moved: interpolated between contacts, spike by spike.

A spike at displacement ``d`` shows on the contacts at ``y`` what the neuron at rest would show at ``y - d``. Its
features on the contacts around its peak channel are thus known at shifted positions, and are interpolated from there to
the contacts around a target channel (kriging with a Matérn 5/2 covariance, as for whole recordings in Kilosort,
Pachitariu et al. 2024, Nature Methods 21:914). Only features are interpolated, and only to tell neurons apart; traces
and templates stay as they were measured.

If a spike's template is known at every displacement, only the difference between the spike and its template is
interpolated, and the template at rest is added. The error of interpolating a footprint that is sharper than the grid of
contacts then vanishes for spikes that fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.interpolate.kriging import interpolation_weights

__all__ = ["feature_centers", "noise_kept", "register_features", "resting_channels", "without_template"]

#: Displacements are rounded to this, so that spikes can share weights.
STEP_UM = 1.0
#: Number of channels on which it is looked at how much noise the interpolation keeps.
N_CHANNELS_FOR_NOISE = 16


def resting_channels(
    x_um: NDArray[np.float64], y_um: NDArray[np.float64], *, positions_um: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The channel nearest to where each spike would be seen if the tissue had not moved.

    Parameters
    ----------
    x_um, y_um : float64 array of shape (spike,)
        Position of each spike, minus its displacement.
    positions_um : float64 array of shape (channel, 2)

    Returns
    -------
    int64 array of shape (spike,)
        Of two equally near channels, the first.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]])
    >>> resting_channels(np.array([3.0, 0.0]), np.array([4.0, 31.0]), positions_um=line).tolist()
    [0, 2]
    """
    return _nearest(
        np.ascontiguousarray(x_um, np.float64),
        np.ascontiguousarray(y_um, np.float64),
        np.ascontiguousarray(positions_um[:, :2], np.float64),
    )


@kernel
def _nearest(
    x_um: NDArray[np.float64], y_um: NDArray[np.float64], positions_um: NDArray[np.float64]
) -> NDArray[np.int64]:
    nearest = zeros(len(x_um), np.int64)
    for spike in range(len(x_um)):
        least = np.inf
        for channel in range(len(positions_um)):
            distance = (x_um[spike] - positions_um[channel, 0]) ** 2 + (y_um[spike] - positions_um[channel, 1]) ** 2
            if distance < least:
                nearest[spike], least = channel, distance
    return nearest


def feature_centers(
    features: NDArray[np.float32],
    channel_index: NDArray[np.int64],
    *,
    positions_um: NDArray[np.float64],
    neighbors: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Where a spike's features are centered: the mean position of the channels around it, weighted by their energy.

    Parameters
    ----------
    features : float32 array of shape (spike, k, component)
        On the channels ``neighbors[channel_index]``; what half of them exceed is taken for noise.
    channel_index : int64 array of shape (spike,)
    positions_um : float64 array of shape (channel, 2)
    neighbors : int32 array of shape (channel, k)
        -1 where there are fewer.

    Returns
    -------
    float64 array of shape (spike, 2)
        The position of the channel itself where no other stands out.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]])
    >>> seen = np.array([[[1.0], [3.0], [3.0]]], np.float32)
    >>> feature_centers(seen, np.array([1]), positions_um=line, neighbors=np.array([[0, 1, 2]] * 3, np.int32)).tolist()
    [[0.0, 20.0]]
    """
    around = neighbors[channel_index]
    energy = np.where(around >= 0, np.einsum("skp,skp->sk", features, features, dtype=np.float64), 0.0)
    weight = np.maximum(energy - np.median(energy, axis=1, keepdims=True), 0.0)
    total = weight.sum(axis=1, keepdims=True)
    center = np.einsum("sk,ska->sa", weight, positions_um[around, :2]) / np.maximum(total, 1e-12)
    return np.asarray(np.where(total > 0, center, positions_um[channel_index, :2]), np.float64)


@kernel
def _apply(
    features: NDArray[np.float32], group: NDArray[np.int64], weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    for spike in range(len(features)):
        weight, own, result = weights[group[spike]], features[spike], out[spike]
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                w = weight[i, j]
                for p in range(own.shape[1]):
                    result[i, p] += w * own[j, p]


def register_features(
    features: NDArray[np.float32],
    channel_index: NDArray[np.int64],
    displacement_um: NDArray[np.float64],
    target_index: NDArray[np.int64],
    *,
    positions_um: NDArray[np.float64],
    neighbors: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Features at displacement zero, on the channels around each spike's target channel.

    Parameters
    ----------
    features : float32 array of shape (spike, k, component)
        On the channels ``neighbors[channel_index]``.
    channel_index, target_index : int64 array of shape (spike,)
        Peak channel as it was seen, and the channel around which features are wanted.
    displacement_um : float64 array of shape (spike,)
        Along y; rounded to `STEP_UM`.
    positions_um : float64 array of shape (channel, 2)
    neighbors : int32 array of shape (channel, k)
        Channels around each channel, -1 where there are fewer.

    Returns
    -------
    float32 array of shape (spike, k, component)
        On the channels ``neighbors[target_index]``; the features themselves if nothing moves.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]])
    >>> around = np.array([[0, 1, 2]] * 3, np.int32)
    >>> seen = np.array([[[1.0], [4.0], [1.0]]], np.float32)
    >>> moved = register_features(seen, np.array([1]), np.array([20.0]), np.array([0]), positions_um=line,
    ...                           neighbors=around)
    >>> moved.round(0).ravel().tolist()[:2]
    [4.0, 1.0]
    """
    steps = np.rint(displacement_um / STEP_UM).astype(np.int64)
    keys = np.stack([channel_index, target_index, steps], axis=1)
    groups, inverse = np.unique(keys, axis=0, return_inverse=True)
    n_slots = neighbors.shape[1]
    weights = np.zeros((len(groups), n_slots, n_slots), np.float32)
    for row, (channel, target, step) in enumerate(groups.tolist()):
        known, wanted = neighbors[channel], neighbors[target]
        if step == 0 and channel == target:
            weights[row] = np.eye(n_slots, dtype=np.float32)
            continue
        at = positions_um[known[known >= 0], :2].copy()
        at[:, 1] -= step * STEP_UM
        weights[np.ix_([row], wanted >= 0, known >= 0)] = interpolation_weights(
            at, positions_um[wanted[wanted >= 0], :2]
        )[None]
    out = np.zeros(features.shape, np.float32)
    _apply(np.ascontiguousarray(features, np.float32), inverse.reshape(-1).astype(np.int64), weights, out)
    return out


def noise_kept(
    displacement_um: NDArray[np.float64], *, positions_um: NDArray[np.float64], neighbors: NDArray[np.int32]
) -> float:
    """How much of the noise of features is left by `register_features`: values between contacts are averages.

    Parameters
    ----------
    displacement_um : float64 array
        Displacements of the tissue, each as often as it occurs.
    positions_um : float64 array of shape (channel, 2)
    neighbors : int32 array of shape (channel, k)
        Channels around each channel, -1 where there are fewer.

    Returns
    -------
    float
        Standard deviation relative to that of the features as they were seen; 1 if nothing moves.

    Examples
    --------
    >>> line, around = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]]), np.array([[0, 1, 2]] * 3, np.int32)
    >>> noise_kept(np.zeros(5), positions_um=line, neighbors=around)
    1.0
    >>> 0.6 < noise_kept(np.full(5, 10.0), positions_um=line, neighbors=around) < 0.9
    True
    """
    steps, counts = np.unique(np.rint(displacement_um / STEP_UM).astype(np.int64), return_counts=True)
    seen = np.unique(np.linspace(0, len(positions_um) - 1, N_CHANNELS_FOR_NOISE).astype(np.int64))
    # Unit noise on every contact in turn: the squares of what it becomes add up to the variance.
    n_slots = neighbors.shape[1]
    unit = np.broadcast_to(np.eye(n_slots, dtype=np.float32), (len(seen) * len(steps), n_slots, n_slots))
    channel, step = np.repeat(seen, len(steps)), np.tile(steps * STEP_UM, len(seen))
    resting = resting_channels(positions_um[channel, 0], positions_um[channel, 1] - step, positions_um=positions_um)
    kept = register_features(unit, channel, step, resting, positions_um=positions_um, neighbors=neighbors)
    variance = (kept.astype(np.float64) ** 2).sum(axis=2)
    there = neighbors[resting] >= 0
    share = np.tile(counts, len(seen))[:, None] * there
    return float(np.sqrt((variance * share).sum() / share.sum()))


@kernel
def _add_templates(
    features: NDArray[np.float32],
    sign: float,
    channel_index: NDArray[np.int64],
    unit_index: NDArray[np.int64],
    amplitude: NDArray[np.float64],
    place: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    unit_features: NDArray[np.float32],
    unit_channels: NDArray[np.int32],
) -> None:
    last = unit_features.shape[1] - 1
    for spike in range(len(features)):
        unit = unit_index[spike]
        at = min(max(place[spike], 0.0), float(last))
        low = min(int(at), max(last - 1, 0))
        high, share = min(low + 1, last), at - low
        for j in range(neighbors.shape[1]):
            channel = neighbors[channel_index[spike], j]
            if channel < 0:
                continue
            for k in range(unit_channels.shape[1]):
                if unit_channels[unit, k] == channel:
                    for p in range(features.shape[2]):
                        value = (1.0 - share) * unit_features[unit, low, k, p] + share * unit_features[unit, high, k, p]
                        features[spike, j, p] += np.float32(sign * amplitude[spike] * value)


def without_template(
    features: NDArray[np.float32],
    channel_index: NDArray[np.int64],
    *,
    unit_index: NDArray[np.int64],
    amplitude: NDArray[np.float64],
    place: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    unit_features: NDArray[np.float32],
    unit_channels: NDArray[np.int32],
    added: bool = False,
) -> NDArray[np.float32]:
    """Features of spikes minus those of their templates or, with ``added``, plus those.

    Parameters
    ----------
    features : float32 array of shape (spike, k, component)
    channel_index : int64 array of shape (spike,)
        The features are those on the channels ``neighbors[channel_index]``.
    unit_index : int64 array of shape (spike,)
    amplitude : float64 array of shape (spike,)
        Multiple of the template.
    place : float64 array of shape (spike,)
        Displacement, in steps along the second axis of `unit_features`.
    neighbors : int32 array of shape (channel, k)
    unit_features : float32 array of shape (unit, displacement, slot, component)
        Features of the templates.
    unit_channels : int32 array of shape (unit, slot)
        Their channels, -1 where empty.

    Returns
    -------
    float32 array of shape (spike, k, component)

    Examples
    --------
    >>> template = np.array([[[[2.0]], [[4.0]]]], np.float32)
    >>> without_template(np.full((1, 1, 1), 5.0, np.float32), np.array([0]), unit_index=np.array([0]),
    ...     amplitude=np.array([1.0]), place=np.array([0.5]), neighbors=np.zeros((1, 1), np.int32),
    ...     unit_features=template, unit_channels=np.zeros((1, 1), np.int32)).item()
    2.0
    """
    out = np.array(features, np.float32, order="C")
    _add_templates(
        out,
        1.0 if added else -1.0,
        np.ascontiguousarray(channel_index, np.int64),
        np.ascontiguousarray(unit_index, np.int64),
        np.ascontiguousarray(amplitude, np.float64),
        np.ascontiguousarray(place, np.float64),
        neighbors,
        np.ascontiguousarray(unit_features, np.float32),
        unit_channels,
    )
    return out
