"""Fit a matched filter to a recording before detection: a prototype spike and the thresholds of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError
from ..features.events import window_samples
from ..features.prototype import trough_prototype
from ..per_channel import bad_channels_of, names_of_channels
from ..recording.excerpts import Excerpts, excerpts_of_these
from ..recording.geometry import separated_positions
from ..typing import PeakSign


def prototype_of_components(
    components: xr.DataArray,
    *,
    sampling_frequency: float,
    ms_before: float = 0.5,
    ms_after: float = 0.5,
    peak_sign: PeakSign = "neg",
) -> NDArray[np.float64]:
    """The typical spike shape of a recording, as the prototype for :func:`estimate_matched_filter`.

    The components were learned from waveforms that were not centered, so the first one is their energy-weighted mean
    shape.

    Parameters
    ----------
    components
        From :func:`learn_components`.
    sampling_frequency
        Sampling rate of the recording from which they were learned.
    ms_before, ms_after
        Window around the peak.
    peak_sign
        Sign of the prototype's peak; negative for ``"both"``.

    Returns
    -------
    Prototype of the window's length, float64, 1 or -1 at the peak.

    Raises
    ------
    ParameterError
        If the components are shorter than the window, or the first one is 0 at the peak.

    Examples
    --------
    >>> components = xr.DataArray([[0.0, 0.1, 0.5, 0.3]], dims=("component", "sample"), attrs={"nbefore": 2})
    >>> prototype_of_components(components, sampling_frequency=1e3, ms_before=1, ms_after=2).tolist()
    [-0.2, -1.0, -0.6]
    """
    nbefore, nafter = window_samples(ms_before, ms_after, sampling_frequency)
    first, peak = np.asarray(components.values[0], np.float64), int(components.attrs["nbefore"])
    if peak < nbefore or first.size < peak + nafter:
        raise ParameterError(
            f"the components reach {peak} samples before the peak and {first.size - peak} from it on; a prototype of "
            f"{nbefore} and {nafter} needs longer ones"
        )
    if first[peak] == 0:
        raise ParameterError("the first component is 0 at the peak, so it cannot serve as a prototype")
    shape = first[peak - nbefore : peak + nafter] / first[peak]
    return shape if peak_sign == "pos" else -shape


@operation
def estimate_matched_filter(
    recording: xr.DataArray,
    *,
    prototype: Any = None,
    ms_before: float = 0.5,
    ms_after: float = 0.5,
    detect_threshold: float = 5.0,
    decay_um: float = 2.5,
    depths_um: Sequence[float] | None = None,
    n_nearest: int | None = None,
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Fit the filter that ``detect_peaks(method="matched_filtering")`` needs. Computes.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``.
    prototype
        Expected waveform in the window; a negative Gaussian if None.
    ms_before, ms_after
        Window of the prototype around the spike.
    detect_threshold
        In robust standard deviations of each score.
    decay_um
        Length over which the weights of the channels decay with distance from a source.
    depths_um
        Distances of the sources from the contacts; 0, 30, 60, 90 and 120 if None. Each depth costs the same time.
    n_nearest
        Maximum number of channels that a source reaches, including its own; if None, all with a non-zero weight.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    Dataset with the prototype, the thresholds ``(channel, depth)`` and the sparse spatial weights; attribute
    ``nbefore``.

    Raises
    ------
    ParameterError
        If the prototype does not fill the window, or a number is outside its limits.
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
    from ..kernels.detect import matched_filter as kernel

    check_positive(detect_threshold=detect_threshold, decay_um=decay_um)
    if n_nearest is not None:
        check_positive(n_nearest=n_nearest)
    if depths_um is not None and np.ndim(depths_um) != 1:
        raise ParameterError(f"depths_um is {depths_um!r}; give a list of depths, such as [0, 60]")
    if depths_um is not None and not (len(depths_um) and min(depths_um) >= 0):
        raise ParameterError(f"depths_um is {list(depths_um)}; give at least one depth, none of them negative")
    rate = schema.validate_recording(recording).sampling_frequency
    nbefore, nafter = window_samples(ms_before, ms_after, rate)
    if prototype is None:
        prototype = trough_prototype(nbefore + nafter, nbefore=nbefore, sampling_frequency=rate)
    shape = np.asarray(prototype, np.float64)
    if shape.shape != (nbefore + nafter,):
        raise ParameterError(
            f"prototype has shape {shape.shape}; give one value for each of the window's {nbefore + nafter} samples"
        )
    positions = separated_positions(recording, why="a matched filter")
    tables = kernel.matched_filter_weights(
        positions,
        depths_um=None if depths_um is None else np.asarray(depths_um, np.float64),
        decay_um=decay_um,
        n_nearest=n_nearest,
        good=~bad_channels_of(recording),
    )
    parts = excerpts_of_these(recording, excerpts, seed=seed)
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
        coords=names_of_channels(recording),
        attrs={"nbefore": nbefore},
    )
