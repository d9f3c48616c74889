"""Whitening: a matrix estimated once and applied lazily."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_keywords, check_positive, keywords_of
from ..errors import ParameterError
from ..graph.local import map_in_threads
from ..graph.plan import Stage
from ..per_channel import check_these_channels, check_unit
from ..recording.excerpts import Excerpts, excerpts_of_these
from ..recording.stages import extend_recording
from ..unit_mark import check_made_on
from .noise_covariance import noise_covariance
from .whiten_global import whiten_global
from .whiten_local import whiten_local

#: One row per mode: the function that makes its variables.
MODES = {"global": whiten_global, "local": whiten_local}


@operation
def estimate_whitening(
    recording: xr.DataArray,
    *,
    mode: str = "local",
    regularization: float = 1e-3,
    excerpts: Excerpts | None = None,
    seed: int = 0,
    **parameters: Any,
) -> xr.Dataset:
    """Estimate the matrix that makes the noise of all channels white, zero-phase (ZCA). Computes.

    Parameters
    ----------
    recording
        Filtered and referenced traces. Channels marked ``bad`` are left out; their output is zero.
    mode
        ``"global"``: one matrix over all channels; ``"local"``: each channel whitened against the channels around it,
        stored as a sparse operator.
    regularization
        Added to the eigenvalues, as a fraction of the median variance of the channels.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.
    **parameters
        Parameters of the mode: ``n_nearest`` and ``radius_um`` (local). See
        :func:`xephys.preprocess.whiten_local.whiten_local` and :func:`xephys.preprocess.whiten_global.whiten_global`.

    Returns
    -------
    Dataset with ``weight (channel, slot)`` and ``neighbor (channel, slot)`` (-1 where empty) for ``"local"``, or
    ``matrix (channel, channel_out)`` for ``"global"``. The output of a channel is the weighted sum of its neighbors.

    Raises
    ------
    ParameterError
        If a name is unknown or a number outside its limits.
    RecordingError
        If positions are missing for a local estimate, every channel is bad or constant, or the traces are not finite.

    Notes
    -----
    The inverse square root of the covariance: ZCA in Kessy, Lewin and Strimmer (2018), Am. Stat. 72:309.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> estimate_whitening(filtered, n_nearest=4).sizes["slot"]
    4
    """
    check_choice("mode", mode, MODES)
    check_positive(regularization=regularization)
    check_keywords(parameters, MODES[mode], what=f"mode {mode!r}", beside=keywords_of(estimate_whitening))
    info = schema.validate_recording(recording)
    parts = excerpts_of_these(recording, excerpts, seed=seed)
    noise = noise_covariance(recording, parts, regularization=regularization)
    coords = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    attributes = {"mode": mode, "units": "1/" + info.units}
    return xr.Dataset(MODES[mode](noise, **parameters), coords=coords, attrs=attributes)


@operation
def whiten(recording: xr.DataArray, *, whitening: xr.Dataset) -> xr.DataArray:
    """Apply a whitening matrix, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, after the same transforms as when the matrix was estimated.
    whitening
        From :func:`estimate_whitening`.

    Returns
    -------
    Whitened traces, float32, in units of the noise, still lazy.

    Raises
    ------
    ParameterError
        If the matrix was estimated for another number of channels, or of traces before or after another filter or the
        like.
    RecordingError
        If it was estimated for other channels, for these in another order, or in another unit.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> whitened = whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    >>> whitened.attrs["units"]
    'noise'
    """
    from ..kernels.lib.mixing import mix_channels

    n = schema.validate_recording(recording).n_channels
    if whitening.sizes["channel"] != n:
        raise ParameterError(
            f"the whitening matrix is for {whitening.sizes['channel']} channels, the recording has {n}; "
            "estimate it on this recording"
        )
    check_these_channels(recording, whitening, what="the whitening matrix")
    units = str(whitening.attrs["units"]).removeprefix("1/") if "units" in whitening.attrs else None
    check_unit(recording, units, what="the traces of the whitening matrix", made_by="estimate_whitening")
    check_made_on(recording, whitening, what="the whitening matrix", made_by="estimate_whitening")
    stage = Stage(mix_channels, dtype=np.dtype("f4"), arrays=_packed_weights(whitening))
    return extend_recording(recording, stage, units="noise")


def whiten_excerpts(excerpts: Excerpts, *, whitening: xr.Dataset) -> Excerpts:
    """Apply a whitening matrix to ``(sample, channel)`` arrays, eagerly."""
    from ..kernels.lib.mixing import mix_channels

    return map_in_threads(partial(mix_channels, **_packed_weights(whitening)), excerpts)


def whitening_matrix(whitening: xr.Dataset) -> NDArray[np.float32]:
    """The dense matrix of a whitening; multiplying a sample's channels by it gives the white channels."""
    if "matrix" in whitening:
        return np.ascontiguousarray(whitening["matrix"].values.T, np.float32)
    neighbors, weights = whitening["neighbor"].values, whitening["weight"].values
    matrix = np.zeros((len(neighbors), len(neighbors)), np.float32)
    channel, slot = np.nonzero(neighbors >= 0)
    matrix[channel, neighbors[channel, slot]] = weights[channel, slot]
    return matrix


def _packed_weights(whitening: xr.Dataset) -> dict[str, Any]:
    from ..kernels.lib import mixing

    if "matrix" in whitening:
        return mixing.pack_dense(whitening["matrix"].values)
    return mixing.pack_sparse(whitening["neighbor"].values, whitening["weight"].values)
