"""Waveforms as they would be after a move along the shank, by kriging, for all units at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Length scales of the covariance across and along the shank in µm, and its noise.
ACROSS_UM, ALONG_UM, NUGGET = 20.0, 30.0, 0.01


def moved_waveforms(
    out: NDArray[np.float64],
    waveforms: NDArray[np.floating],
    positions: NDArray[np.float64],
    shift_um: NDArray[np.float64],
) -> None:
    """Waveforms at places that are ``shift_um`` above each channel.

    Parameters
    ----------
    out : (unit, channel, sample, template)
        Receives the result; may be mapped from a file.
    waveforms : (unit, channel, sample)
    positions : (channel, 2)
    shift_um : (unit, template)
        Units with equal shifts are moved together.

    Examples
    --------
    >>> positions = np.column_stack([np.zeros(9), 20.0 * np.arange(9)])
    >>> out = np.empty((1, 9, 1, 1))
    >>> moved_waveforms(out, np.eye(9)[None, :, 4:5], positions, np.array([[-20.0]]))
    >>> int(out[0, :, 0, 0].argmax())
    5
    """
    n_channels = len(positions)
    inverse = np.linalg.inv(covariance(positions, positions) + NUGGET * np.eye(n_channels))
    for template in range(shift_um.shape[1]):
        shifts, of_unit = np.unique(shift_um[:, template], return_inverse=True)
        order = np.argsort(of_unit, kind="stable")
        bounds = np.searchsorted(of_unit[order], np.arange(len(shifts) + 1))
        for number, shift in enumerate(shifts):
            units = order[bounds[number] : bounds[number + 1]]
            weights = covariance(positions + np.array([0.0, shift]), positions) @ inverse
            out[units, :, :, template] = weights @ np.asarray(waveforms[units], np.float64)


def covariance(
    first: NDArray[np.float64], second: NDArray[np.float64], *, across_um: float = ACROSS_UM
) -> NDArray[np.float64]:
    """Exponential covariance of the potential at two sets of places ``(place, 2)``, 1.5 times as long along the shank.

    Examples
    --------
    >>> covariance(np.zeros((1, 2)), np.array([[0.0, 30.0], [20.0, 0.0]])).round(4).tolist()
    [[0.3679, 0.3679]]
    """
    apart = np.abs(first[:, None] - second[None])
    return np.asarray(np.exp(-apart[..., 0] / across_um - apart[..., 1] / (ALONG_UM / ACROSS_UM * across_um)))
