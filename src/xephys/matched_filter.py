"""The matched filter of a recording: a prototype spike and the thresholds of its scores, fitted before detection."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from . import schema
from .errors import ParameterError
from .extending import check_positive
from .features import window_samples
from .preprocess.noise import Sample, sample_traces

#: Width of the Gaussian trough that stands for a spike where no prototype is given.
PROTOTYPE_SIGMA_MS = 0.25


def estimate_matched_filter(
    recording: xr.DataArray,
    *,
    prototype: Any = None,
    ms_before: float = 0.5,
    ms_after: float = 0.5,
    detect_threshold: float = 5.0,
    decay_um: float = 2.5,
    sample: Sample | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Fit what ``detect_peaks(method="matched_filtering")`` needs. Computes.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``.
    prototype
        Expected waveform over the window; a negative Gaussian if None.
    ms_before, ms_after
        Window of the prototype around the spike.
    detect_threshold
        In robust standard deviations of each score.
    decay_um
        Decay of the weights of the channels with their distance from a source.
    sample
        Stretches of these very traces, from :func:`sample_traces`; drawn here if None.
    seed
        Of that drawing.

    Returns
    -------
    Dataset with the prototype, the thresholds ``(channel, depth)`` and the sparse spatial weights; attribute
    ``nbefore``.

    Raises
    ------
    ParameterError
        If the prototype does not fill the window.
    RecordingError
        If positions are missing.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> estimate_matched_filter(xephys.bandpass_filter(recording)).sizes["depth"]
    5
    """
    from .kernels import matched_filter as kernel

    check_positive(detect_threshold=detect_threshold, decay_um=decay_um)
    rate = schema.validate_recording(recording).sampling_frequency
    nbefore, nafter = window_samples(ms_before, ms_after, rate)
    if prototype is None:
        times_ms = (np.arange(nbefore + nafter) - nbefore) / rate * 1e3
        prototype = -np.exp(-0.5 * (times_ms / PROTOTYPE_SIGMA_MS) ** 2)
    shape = np.asarray(prototype, np.float64)
    if shape.shape != (nbefore + nafter,):
        raise ParameterError(
            f"prototype has shape {shape.shape}; give one value for each of the window's {nbefore + nafter} samples"
        )
    positions = schema.positions_of(recording, why="a matched filter")
    tables = kernel.matched_filter_weights(
        positions, decay_um=decay_um, channel_mask=~schema.bad_channels_of(recording)
    )
    parts = sample_traces(recording, seed=seed) if sample is None else sample
    thresholds = kernel.matched_filter_thresholds(
        [np.ascontiguousarray(part, np.float32) for part in parts],
        prototype=shape,
        detect_threshold=detect_threshold,
        **tables,
    )
    return xr.Dataset(
        {
            "prototype": ("sample", shape),
            "thresholds": (("channel", "depth"), thresholds),
            "weight_offsets": ("row", tables["weight_offsets"]),
            "weight_channels": ("entry", tables["weight_channels"]),
            "weights": ("entry", tables["weights"]),
        },
        attrs={"nbefore": nbefore},
    )
