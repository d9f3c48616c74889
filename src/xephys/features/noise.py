"""Estimate how large the projections of noise on temporal components are, and how they go together."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import RecordingError
from ..graph.local import map_in_threads
from ..per_channel import bad_channels_of, positions_of
from ..recording.excerpts import Excerpts, excerpts_of_these


@operation
def estimate_feature_noise(
    recording: xr.DataArray, *, components: xr.DataArray, excerpts: Excerpts | None = None, seed: int = 0
) -> float:
    """Standard deviation of the projections of noise on temporal components. Computes.

    Adjoining windows cover the excerpts regardless of spikes; the median absolute value is insensitive to the few
    windows that hold one.

    Parameters
    ----------
    recording
        The traces on which peaks are projected.
    components
        From :func:`learn_components`.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    One number in the recording's unit, over all components and all channels that are not marked ``bad``.

    Raises
    ------
    RecordingError
        If no excerpt is as long as a component, or the recording is silent.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = xephys.learn_components(filtered, peaks, n_components=3)
    >>> estimate_feature_noise(filtered, components=components) > 0
    True
    """
    from ..kernels.features.noise import feature_noise

    schema.validate_recording(recording)
    parts = excerpts_of_these(recording, excerpts, seed=seed)
    basis = np.asarray(components.values, np.float64)
    noise = feature_noise(parts, basis, good=~bad_channels_of(recording), mapped=map_in_threads)
    if not noise > 0:
        raise RecordingError(
            f"the noise of features is {noise:g} in {len(parts)} excerpts of the recording; it is silent, or shorter "
            f"than a component of {basis.shape[1]} samples"
        )
    return noise


@operation
def estimate_feature_covariance(
    recording: xr.DataArray,
    *,
    components: xr.DataArray,
    radius_um: float = 200.0,
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Covariance of the projections of noise on temporal components, between channels and components. Computes.

    On traces that are not whitened, noise is correlated between channels, and a mixture of Gaussians
    (:func:`cluster_by_mixture`) needs to know how. The covariance is that of channels times that of components.

    Parameters
    ----------
    recording
        The traces on which peaks are projected, with positions.
    components
        From :func:`learn_components`.
    radius_um
        Channels farther apart than this are independent.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    float64 ``(channel, component, other_channel, other_component)``, in the square of the recording's unit.

    Raises
    ------
    RecordingError
        If the recording has no positions, is silent, or no excerpt is as long as a component.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = xephys.learn_components(filtered, peaks, n_components=3)
    >>> estimate_feature_covariance(filtered, components=components).shape
    (8, 3, 8, 3)
    """
    from ..kernels.features.noise import feature_covariance

    check_positive(radius_um=radius_um)
    schema.validate_recording(recording)
    positions = positions_of(recording, why="a covariance of channels")
    parts = excerpts_of_these(recording, excerpts, seed=seed)
    basis = np.asarray(components.values, np.float64)
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    covariance = feature_covariance(parts, basis, distances_um=apart, radius_um=float(radius_um))
    if not covariance.any():
        raise RecordingError(
            f"the noise of features is 0 in {len(parts)} excerpts of the recording; it is silent, or shorter than a "
            f"component of {basis.shape[1]} samples"
        )
    return xr.DataArray(covariance, dims=("channel", "component", "other_channel", "other_component"))
