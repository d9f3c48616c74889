"""Find bad channels, and interpolate them from their neighbors."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_positive
from ..errors import ParameterError, RecordingError
from ..graph.excerpts import draw_overlapping_excerpts
from ..graph.plan import Stage
from ..kernels.lib.constants import MAD_OF_NORMAL
from ..per_channel import positions_of
from ..recording.excerpts import Excerpts, excerpts_of_these, sample_traces
from ..recording.geometry import channel_groups, separated_positions
from ..recording.stages import extend_recording, recording_plan
from .filter import highpass_filter
from .marked_channels import bad_mask

METHODS = ("coherence+psd", "std", "mad")


def find_constant_channels(
    recording: xr.DataArray, *, excerpts: Excerpts | None = None, seed: int = 0
) -> NDArray[np.bool_]:
    """Mask of the channels that are constant in seeded excerpts of the recording. Computes.

    ``excerpts`` must come from these same traces, from :func:`sample_traces`; drawn here if None.

    Raises
    ------
    RecordingError
        If an excerpt holds NaN or infinite values.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> int(find_constant_channels(recording).sum())
    0
    """
    parts = excerpts_of_these(recording, excerpts, seed=seed)
    first = parts[0][0]
    constant = np.ones(len(first), np.bool_)
    for few in (part[:64] for part in parts):  # which leave next to no channel to be read further
        constant[constant] = (few[:, constant] == first[constant]).all(axis=0)
    for part in parts if constant.any() else ():
        constant[constant] = (part[:, constant] == first[constant]).all(axis=0)
    return constant


@operation
def detect_bad_channels(
    recording: xr.DataArray,
    *,
    method: str = "coherence+psd",
    n_slices: int = 100,
    slice_duration_s: float = 0.3,
    psd_threshold_uv2_hz: float = 0.02,
    dead_threshold: float = -0.5,
    noisy_threshold: float = 1.0,
    outside_threshold: float = -0.75,
    std_factor: float = 5.0,
    seed: int = 0,
) -> xr.DataArray:
    """Label each channel as good, dead, noise or outside (the brain). Computes.

    Parameters
    ----------
    recording
        Raw traces with dims ``(time, channel)``; a high-pass at 300 Hz is applied here.
    method
        ``"coherence+psd"``: similarity to the median channel along the probe, and high-frequency power; ``"std"`` or
        ``"mad"``: channels ``std_factor`` times as noisy as the median channel.
    n_slices, slice_duration_s, seed
        Number, length and random seed of the slices that are read.
    psd_threshold_uv2_hz, dead_threshold, noisy_threshold, outside_threshold
        Limits of ``"coherence+psd"``.
    std_factor
        Limit of ``"std"`` and ``"mad"``.

    Returns
    -------
    DataArray ``channel_label`` of strings, dim ``channel``, for :func:`mark_bad_channels`, :func:`drop_bad_channels`
    and :func:`interpolate_bad_channels`.

    Raises
    ------
    RecordingError
        If positions or gains are missing where the method needs them.

    Notes
    -----
    Follows the method of the International Brain Laboratory (2022), doi:10.6084/m9.figshare.19705522.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=32, n_units=2, seed=0)
    >>> set(detect_bad_channels(recording, method="mad").values.tolist())
    {'good'}
    """
    from ..kernels.preprocess import bad_channels as kernel
    from .scale import to_uv

    check_choice("method", method, METHODS)
    check_positive(n_slices=n_slices, slice_duration_s=slice_duration_s, std_factor=std_factor)
    rate = schema.validate_recording(recording).sampling_frequency
    constant = find_constant_channels(recording, seed=seed)
    in_uv = to_uv(recording) if method == "coherence+psd" else recording
    high = highpass_filter(in_uv, freq_min_hz=300.0)
    slices = sample_traces(high, n_slices=n_slices, slice_duration_s=slice_duration_s, seed=seed)
    plan = recording_plan(high)
    if plan.n_samples < n_slices * plan.tile_samples:  # too short for distinct slices: they overlap, and all still vote
        slices = draw_overlapping_excerpts(plan, n_slices=n_slices, duration_s=slice_duration_s, seed=seed)
    if method == "coherence+psd":
        positions = positions_of(
            recording, why="the coherence of neighboring channels (methods 'std' and 'mad' need none)"
        )
        groups = channel_groups(recording)  # separately: channels of two shanks at one depth are not neighbors
        order = np.lexsort((positions[:, 0], positions[:, 1], np.zeros(len(positions)) if groups is None else groups))
        back = np.argsort(order)
        codes = [
            kernel.label_channels(
                kernel.channel_features(np.ascontiguousarray(part[:, order]), sampling_frequency=rate),
                dead_threshold=dead_threshold,
                noise_threshold=noisy_threshold,
                noise_power=psd_threshold_uv2_hz,
                outside_threshold=outside_threshold,
            )[back]
            for part in slices
        ]
        labels = np.array(kernel.LABELS)[kernel.most_common_labels(np.stack(codes))]
    else:
        spread = np.std if method == "std" else _mad
        levels = np.median([spread(part, axis=0) for part in slices], axis=0)
        labels = np.where(kernel.outlying_channels(levels, factor=std_factor), "noise", "good")
    labels = np.where(constant, "dead", labels)
    coords = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    return xr.DataArray(labels.astype("<U7"), dims="channel", coords=coords, name="channel_label")


@operation
def interpolate_bad_channels(
    recording: xr.DataArray, bad: Any = None, *, sigma_um: float | None = None
) -> xr.DataArray:
    """Replace each bad channel by a weighted mean of the good channels around it, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    bad
        Labels, from :func:`detect_bad_channels` (all but ``"good"`` are bad), or a mask over the channels; the
        coordinate ``bad`` if None.
    sigma_um
        Length scale of the weights ``exp(-(d / sigma)**1.3)``; the most common vertical spacing if None.

    Returns
    -------
    Traces, float32, with the coordinate ``bad`` cleared, still lazy.

    Raises
    ------
    ParameterError
        If the mask does not fit, or holds neither labels nor booleans, or every channel is bad.
    RecordingError
        If positions are missing, or a bad channel has no good channel of its shank within reach.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> fixed = interpolate_bad_channels(recording, bad=[True] + [False] * 7)
    >>> bool(fixed.bad.any())
    False
    """
    from ..kernels.preprocess import bad_channels as kernel

    n = schema.validate_recording(recording).n_channels
    mask = bad_mask(recording, bad)
    if mask.all():
        raise ParameterError(f"bad marks all {n} channels; leave at least one good")
    positions = separated_positions(recording, why="interpolation")
    if sigma_um is not None:
        check_positive(sigma_um=sigma_um)
    try:
        neighbors, weights = kernel.interpolation_weights(positions, np.flatnonzero(mask), sigma_um=sigma_um)
    except ValueError as error:
        raise RecordingError(str(error)) from error
    stage = Stage(
        kernel.interpolate_channels,
        dtype=np.dtype("f4"),
        arrays={"neighbors": neighbors, "weights": weights, "bad": np.flatnonzero(mask)},
    )
    return extend_recording(recording, stage).assign_coords(bad=("channel", np.zeros(n, bool)))


def _mad(traces: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.asarray(np.median(np.abs(traces - np.median(traces, axis=axis)), axis=axis) / MAD_OF_NORMAL)
