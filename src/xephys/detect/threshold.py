"""Detection by threshold: on each channel separately, or the largest crossing of a neighborhood."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, noise_levels_of, positions_of
from ..recording.geometry import channel_groups, neighbors_within
from .rules import PeakRules


def locally_exclusive(
    rules: PeakRules,
    *,
    noise_levels: xr.DataArray | None = None,
    detect_threshold: float = 5.0,
    radius_um: float = 50.0,
) -> Stage:
    """The stage that keeps the largest crossing, in units of its threshold, within a neighborhood and a sweep.

    Parameters
    ----------
    rules
        The recording, and what counts as a peak.
    noise_levels
        Noise level per channel in the recording's unit, from :func:`xephys.estimate_noise_levels`.
    detect_threshold
        In units of the noise level.
    radius_um
        Maximum distance between channels that compete for a peak.

    Raises
    ------
    ParameterError
        If the noise levels are missing, or a number is outside its limits.
    RecordingError
        If positions are missing, the noise levels do not fit, or every channel is silent or bad.
    """
    from ..kernels.detect.peaks import detect_locally_exclusive

    positions = positions_of(rules.recording, why="detection by locally_exclusive")
    neighbors = neighbors_within(positions, radius_um=radius_um, groups=channel_groups(rules.recording))
    return _stage(detect_locally_exclusive, rules, noise_levels, detect_threshold, {"neighbors": neighbors})


def by_channel(rules: PeakRules, *, noise_levels: xr.DataArray | None = None, detect_threshold: float = 5.0) -> Stage:
    """The stage that keeps the largest crossing of each sweep, channel by channel.

    Parameters
    ----------
    rules
        The recording, and what counts as a peak.
    noise_levels
        Noise level per channel in the recording's unit, from :func:`xephys.estimate_noise_levels`.
    detect_threshold
        In units of the noise level.

    Raises
    ------
    ParameterError
        If the noise levels are missing, or a number is outside its limits.
    RecordingError
        If the noise levels do not fit, or every channel is silent or bad.
    """
    from ..kernels.detect.peaks import detect_by_channel

    return _stage(detect_by_channel, rules, noise_levels, detect_threshold, {})


def _stage(
    kernel: Any,
    rules: PeakRules,
    noise_levels: xr.DataArray | None,
    detect_threshold: float,
    arrays: dict[str, NDArray[Any]],
) -> Stage:
    from ..kernels.detect.peaks import detection_halo

    check_positive(detect_threshold=detect_threshold)
    if noise_levels is None:
        raise ParameterError("noise_levels is missing; give those of estimate_noise_levels(recording)")
    noise = noise_levels_of(rules.recording, noise_levels).astype(np.float64)
    usable = ~bad_channels_of(rules.recording) & (noise > 0)
    if not usable.any():
        raise RecordingError("no channel can give peaks: all are marked bad or constant; check the recording")
    thresholds = np.where(usable, noise * detect_threshold, 1.0).astype(np.float32)
    halo = detection_halo(exclude_sweep_samples=rules.exclude_sweep_samples)
    return Stage(
        kernel,
        dtype=schema.PEAK_DTYPE,
        parameters=rules.parameters,
        arrays={**arrays, "thresholds": thresholds, "good": usable},
        before=halo,
        after=halo,
        emits="events",
    )
