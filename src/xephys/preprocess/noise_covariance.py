"""Input shared by the modes of whitening: the covariance of the channels, and which channels take part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import RecordingError
from ..graph.local import map_in_threads
from ..per_channel import bad_channels_of
from ..recording.excerpts import Excerpts


@dataclass(frozen=True)
class NoiseCovariance:
    """Covariance ``(channel, channel)`` of a recording's excerpts.

    ``good`` is the mask of channels that are neither bad nor constant; ``eps`` is added to each eigenvalue.
    """

    recording: xr.DataArray
    matrix: NDArray[np.float64]
    good: NDArray[np.bool_]
    eps: float


def noise_covariance(recording: xr.DataArray, excerpts: Excerpts, *, regularization: float) -> NoiseCovariance:
    """Covariance of the channels over excerpts of these traces.

    Parameters
    ----------
    recording
        Validated traces.
    excerpts
        From :func:`xephys.sample_traces`.
    regularization
        ``eps`` as a fraction of the median variance of the good channels.

    Raises
    ------
    RecordingError
        If no channel is left.
    """
    from ..kernels.preprocess.whiten import covariance_sums

    good = ~bad_channels_of(recording)
    if not good.any():
        raise RecordingError("every channel is marked bad, so there is nothing to whiten; check the coordinate bad")
    n_channels = len(good)
    total, products, n = np.zeros(n_channels), np.zeros((n_channels, n_channels)), 0
    for sums, squares, count in map_in_threads(covariance_sums, excerpts):
        total, products, n = total + sums, products + squares, n + count
    mean = total / n
    matrix = products / n - np.outer(mean, mean)
    good &= np.diag(matrix) > 0
    if not good.any():
        raise RecordingError("all channels are constant after the transforms so far; there is nothing to whiten")
    return NoiseCovariance(recording, matrix, good, regularization * float(np.median(np.diag(matrix)[good])))
