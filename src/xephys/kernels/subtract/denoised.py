"""Places and features of events from their denoised waveforms, free of the spikes that overlap them."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.localize.center_of_mass import center_of_weights
from xephys.kernels.localize.point_source import enforce_decrease, fit_sources

__all__ = ["Features", "Places", "localize_denoised", "project_cleaned"]


class Places(TypedDict):
    """How events are located.

    ``positions`` float64 (channel, 2) in µm; ``around`` int32 (channel, k), the channels that locate an event, padded
    with -1; ``slots`` int32 (channel, k), where each of them is in the denoised waveform; ``decrease_steps`` from
    `radial_decrease_steps`; ``distance_max_um``, as for `fit_sources`, float64 of shape ``()``.
    """

    positions: NDArray[np.float64]
    around: NDArray[np.int32]
    slots: NDArray[np.int32]
    decrease_steps: NDArray[np.int32]
    distance_max_um: NDArray[np.float64]


class Features(TypedDict):
    """Features of events.

    ``basis`` float32 (feature, sample), which begins ``basis_nbefore`` (int64 of shape ``()``) samples before the
    event; ``neighbors`` int32 (channel, k), the channels that are projected; ``places`` int32 (channel, k), where each
    of them is in the denoised waveform, -1 if it is not there.
    """

    basis: NDArray[np.float32]
    basis_nbefore: NDArray[np.int64]
    neighbors: NDArray[np.int32]
    places: NDArray[np.int32]


def localize_denoised(
    denoised: NDArray[np.float32],
    channels: NDArray[np.int64],
    components: NDArray[np.float32],
    *,
    positions: NDArray[np.float64],
    around: NDArray[np.int32],
    slots: NDArray[np.int32],
    decrease_steps: NDArray[np.int32],
    distance_max_um: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The point source that best explains the largest absolute values of denoised waveforms.

    Sizes are first limited so that they do not grow away from the event's channel. The strength of the source is solved
    in closed form, so three unknowns are left.

    Parameters
    ----------
    denoised : float32 (event, slot, component)
        Coefficients of the denoised waveforms.
    channels : int64 (event,)
        Channel of each event.
    components : float32 (component, sample)
    positions, around, slots, decrease_steps, distance_max_um
        As in `Places`.

    Returns
    -------
    float64 (event, 4)
        ``x``, ``y``, ``z`` in µm and ``alpha``, in the unit of the traces × µm.

    Examples
    --------
    >>> from xephys.kernels.localize.point_source import radial_decrease_steps
    >>> positions = np.array([[x, y] for y in range(0, 100, 20) for x in (0.0, 30.0)])
    >>> around = np.tile(np.arange(10, dtype=np.int32), (10, 1))
    >>> sizes = 1000 / np.sqrt(((positions - [10, 45]) ** 2).sum(axis=1) + 15**2)
    >>> source = localize_denoised(
    ...     -sizes.astype("f4")[None, :, None], np.array([4]), np.ones((1, 1), "f4"), positions=positions,
    ...     around=around, slots=around, decrease_steps=radial_decrease_steps(positions, around),
    ...     distance_max_um=np.float64(150))
    >>> source[0, :2].round(0)
    array([10., 45.])
    """
    sizes = _largest(denoised, channels, np.ascontiguousarray(components), slots)
    enforce_decrease(sizes, channels, decrease_steps)
    centers = center_of_weights(sizes, channels, around, positions)
    sources: NDArray[np.float64] = fit_sources(sizes, channels, around, positions, centers, float(distance_max_um))
    return sources


def project_cleaned(
    residual: NDArray[np.float32],
    rows: NDArray[np.int64],
    shifts: NDArray[np.int64],
    channels: NDArray[np.int64],
    denoised: NDArray[np.float32],
    components: NDArray[np.float32],
    *,
    nbefore: int,
    basis: NDArray[np.float32],
    basis_nbefore: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    places: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Project the waveforms of events, without all other events, on temporal components.

    Such a waveform is the final residual plus the event's own denoised waveform.

    Parameters
    ----------
    residual : float32 (row, channel)
    rows, shifts : int64 (event,)
        Row at which each event was subtracted, and from it to the event's sample.
    channels : int64 (event,)
    denoised : float32 (event, slot, component)
    components : float32 (component, sample)
    nbefore : int
        Samples of a component before the row of its event.
    basis, basis_nbefore, neighbors, places
        As in `Features`.

    Returns
    -------
    float32 (event, k, feature)

    Examples
    --------
    >>> own = np.zeros((1, 1), np.int32)
    >>> project_cleaned(
    ...     np.ones((5, 1), "f4"), np.array([2]), np.array([0]), np.array([0]), np.array([[[10.0]]], "f4"),
    ...     np.array([[0, 1, 0]], "f4"), nbefore=1, basis=np.array([[1.0]], "f4"), basis_nbefore=np.int64(0),
    ...     neighbors=own, places=own).ravel()
    array([11.], dtype=float32)
    """
    return _project(
        residual, rows, shifts, channels, denoised, np.ascontiguousarray(components.T), nbefore,
        np.ascontiguousarray(basis.T), int(basis_nbefore), neighbors, places,
    )  # fmt: skip


@kernel
def _largest(
    denoised: NDArray[np.float32],
    channels: NDArray[np.int64],
    components: NDArray[np.float32],
    slots: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Largest absolute value of each denoised waveform on each channel, zero for padding."""
    sizes = zeros((channels.size, slots.shape[1]), np.float64)
    for i in range(channels.size):
        for j in range(slots.shape[1]):
            slot = slots[channels[i], j]
            if slot < 0:
                continue
            for t in range(components.shape[1]):
                value = np.float32(0.0)
                for k in range(components.shape[0]):
                    value += denoised[i, slot, k] * components[k, t]
                sizes[i, j] = max(sizes[i, j], abs(value))
    return sizes


@kernel
def _project(
    residual: NDArray[np.float32],
    rows: NDArray[np.int64],
    shifts: NDArray[np.int64],
    channels: NDArray[np.int64],
    denoised: NDArray[np.float32],
    components: NDArray[np.float32],
    nbefore: int,
    basis: NDArray[np.float32],
    basis_nbefore: int,
    neighbors: NDArray[np.int32],
    places: NDArray[np.int32],
) -> NDArray[np.float32]:
    n_slots, n_features = neighbors.shape[1], basis.shape[1]
    projections = zeros((rows.size, n_slots, n_features), np.float32)
    for i in range(rows.size):
        for t in range(len(basis)):
            row = rows[i] + shifts[i] + t - basis_nbefore
            inside = row - (rows[i] - nbefore)
            for j in range(n_slots):
                channel, slot = neighbors[channels[i], j], places[channels[i], j]
                if channel < 0:
                    continue
                value = residual[row, channel]
                if slot >= 0 and 0 <= inside < len(components):
                    for k in range(components.shape[1]):
                        value += denoised[i, slot, k] * components[inside, k]
                for f in range(n_features):
                    projections[i, j, f] += value * basis[t, f]
    return projections
