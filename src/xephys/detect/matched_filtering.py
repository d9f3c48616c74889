"""Detection by matched filter: where a prototype spike fits, in time and over channels."""

from __future__ import annotations

import xarray as xr

from ..errors import ParameterError, RecordingError
from ..graph.plan import Stage
from ..per_channel import check_these_channels, positions_of
from ..recording.geometry import channel_groups, neighbors_within
from .rules import PeakRules


def matched_filtering(
    rules: PeakRules,
    *,
    matched_filter: xr.Dataset | None = None,
    radius_um: float = 50.0,
    echo_radius_um: float = 0.0,
) -> Stage:
    """The stage that keeps the best fit of a matched filter within a neighborhood and a sweep.

    Parameters
    ----------
    The recording, and what counts as a peak.
    matched_filter
        From :func:`xephys.estimate_matched_filter`; it brings its own thresholds.
    radius_um
        Maximum distance between channels that compete for a peak.
    echo_radius_um
        A peak within this distance of one three times as strong is discarded as its echo.

    Raises
    ------
    ParameterError
        If the filter is missing, or a number is outside its limits.
    RecordingError
        If positions are missing, or the filter was made for another number of channels.
    """
    from ..kernels.detect import matched_filter as kernel

    if not echo_radius_um >= 0:
        raise ParameterError(f"echo_radius_um is {echo_radius_um:g}; it must be at least 0")
    positions = positions_of(rules.recording, why="detection by matched_filtering")
    groups = channel_groups(rules.recording)
    arrays = {"neighbors": neighbors_within(positions, radius_um=radius_um, groups=groups)}
    if echo_radius_um > 0:
        arrays["echo_neighbors"] = neighbors_within(positions, radius_um=echo_radius_um, groups=groups)
    if matched_filter is None:
        raise ParameterError("matched_filter is missing; give that of estimate_matched_filter(recording)")
    if matched_filter.sizes["channel"] != rules.n_channels:
        raise RecordingError(
            f"the matched filter is for {matched_filter.sizes['channel']} channels, the recording has "
            f"{rules.n_channels}; estimate it on this recording"
        )
    check_these_channels(rules.recording, matched_filter, what="the matched filter")
    nbefore = int(matched_filter.attrs["nbefore"])
    names = ("prototype", "thresholds", "weight_offsets", "weight_channels", "weights")
    before, after = kernel.matched_filter_halo(
        prototype_length=matched_filter.sizes["sample"],
        nbefore=nbefore,
        exclude_sweep_samples=rules.exclude_sweep_samples,
    )
    return Stage(
        kernel.detect_matched_filtering,
        dtype=kernel.MATCHED_PEAK_DTYPE,
        parameters={**rules.parameters, "nbefore": nbefore},
        arrays={**arrays, **{name: matched_filter[name].values for name in names}},
        before=before,
        after=after,
        emits="events",
    )
