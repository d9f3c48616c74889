"""Mean waveforms derived from others: on all channels, with whitening undone, or merged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgecon, dgetrf, dgetrs

from .cleanup import moved_templates

#: A system of equations whose reciprocal condition is smaller counts as singular.
CONDITION_MIN = 1e-9


def dense_waveforms(
    waveforms: NDArray[np.floating[Any]], channels: NDArray[np.integer[Any]], *, n_channels: int
) -> NDArray[np.float32]:
    """Waveforms on all channels, zero on channels that a template does not keep.

    Parameters
    ----------
    waveforms : (unit, sample, slot) float
    channels : (unit, slot) int
        Negative where empty.
    n_channels : int

    Returns
    -------
    (unit, sample, channel) float32

    Examples
    --------
    >>> dense_waveforms(np.array([[[1.0, 5.0]]]), np.array([[2, -1]]), n_channels=3).tolist()
    [[[0.0, 0.0, 1.0]]]
    """
    n_units, length, _ = waveforms.shape
    dense = np.zeros((n_units, length, n_channels), np.float32)
    for unit in range(n_units):
        kept = channels[unit] >= 0
        dense[unit][:, channels[unit, kept]] = waveforms[unit][:, kept]
    return dense


def color_waveforms(
    waveforms: NDArray[np.floating[Any]],
    channels: NDArray[np.integer[Any]],
    matrix: NDArray[np.floating[Any]],
    *,
    n_nearest: int,
) -> NDArray[np.float32]:
    """Mean waveforms of filtered traces, from those of white traces by undoing the whitening, which is linear.

    On a waveform's own channels, a system of equations is solved for its filtered values. Values beyond these channels
    are assumed to be zero, which affects only the border, so a waveform needs more channels than are wanted.

    Parameters
    ----------
    waveforms : (unit, sample, slot) float
    channels : (unit, slot) int
        Negative where empty; the nearest first.
    matrix : (channel_out, channel) float
        Whitening matrix; a row of zeros for a channel that it leaves out.
    n_nearest : int
        Number of slots of the result.

    Returns
    -------
    (unit, sample, n_nearest) float32
        Zero on channels that the whitening leaves out.

    Examples
    --------
    >>> matrix = np.array([[1.0, 0.5], [0.0, 2.0]])
    >>> color_waveforms(np.array([[[4.0, 3.5]]]), np.array([[1, 0]]), matrix, n_nearest=2).tolist()
    [[[2.0, 2.5]]]
    """
    filtered = np.zeros(waveforms.shape, np.float32)
    whitens = np.flatnonzero(np.any(matrix != 0, axis=1))
    for unit, measured in enumerate(channels):
        slots = np.flatnonzero(np.isin(measured, whitens))
        square = matrix[np.ix_(measured[slots], measured[slots])].astype(np.float64)
        filtered[unit][:, slots] = _solution(square, waveforms[unit][:, slots].T.astype(np.float64)).T
    return filtered[:, :, :n_nearest]


def _solution(matrix: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solution of a square system; the smallest one by least squares if the system is all but singular.

    Part of a local whitening may be singular even if the whole is not. Only then are singular values worth their time,
    which is thirty times that of the elimination.
    """
    if not matrix.size:
        return values
    factors, pivots, failed = dgetrf(matrix)
    if not failed:
        reciprocal_condition, _ = dgecon(factors, np.abs(matrix).sum(axis=0).max())
        if reciprocal_condition > CONDITION_MIN:
            return np.asarray(dgetrs(factors, pivots, values)[0])
    return np.asarray(np.linalg.lstsq(matrix, values)[0])


def merge_waveforms(
    waveforms: NDArray[np.float32],
    channels: NDArray[np.integer[Any]],
    *,
    n_channels: int,
    unit_of_template: NDArray[np.integer[Any]],
    template_of_unit: NDArray[np.integer[Any]],
    sample_shift: NDArray[np.integer[Any]],
    num_spikes: NDArray[np.integer[Any]],
) -> NDArray[np.float32]:
    """Mean waveforms of units from those of the templates merged into them, weighted by their spikes.

    Parameters
    ----------
    waveforms : (template, sample, slot) float32
    channels : (template, slot) int
        Negative where empty.
    n_channels : int
    unit_of_template : (template,) int
        Negative for a template without a unit.
    template_of_unit : (unit,) int
        The template whose channels the unit keeps.
    sample_shift : (template,) int
        Number of samples added to the spikes of a template in the merge.
    num_spikes : (template,) int
        Number of spikes that each template matched.

    Returns
    -------
    (unit, sample, slot) float32

    Examples
    --------
    >>> waveforms, channels = np.array([[[4.0]], [[1.0]]], np.float32), np.zeros((2, 1), np.int32)
    >>> one, zeros = np.zeros(1, int), np.zeros(2, int)
    >>> origin = {"unit_of_template": zeros, "template_of_unit": one, "sample_shift": zeros}
    >>> merge_waveforms(waveforms, channels, n_channels=1, num_spikes=np.array([20, 10]), **origin).tolist()
    [[[3.0]]]
    """
    weights = np.maximum(num_spikes, 1).astype(np.float64)
    counts = np.bincount(unit_of_template[unit_of_template >= 0], minlength=len(template_of_unit))
    merged = np.array(waveforms[template_of_unit], np.float32)
    for unit in np.flatnonzero(counts > 1):
        members = np.flatnonzero(unit_of_template == unit)
        dense = dense_waveforms(waveforms[members], channels[members], n_channels=n_channels)
        aligned = moved_templates(dense, np.asarray(sample_shift[members], np.int64))
        total = np.zeros(dense.shape[1:])
        for weight, waveform in zip(weights[members], aligned, strict=True):
            total += weight * waveform
        own = channels[template_of_unit[unit]]
        merged[unit] = np.where(own >= 0, (total / weights[members].sum())[:, own], 0.0)
    return merged
