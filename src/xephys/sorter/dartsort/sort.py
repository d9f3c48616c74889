"""The preset ``dartsort``: subtract, follow the motion, cluster, and match with an amplitude prior.

It follows dartsort (Boussard, Windolf et al. 2023, bioRxiv 2023.08.11.553023) under its parameters. Events are found by
iterative subtraction (:func:`xephys.detect_by_subtraction`), their places give the motion, and everything after them is
shared with the preset ``default``: clusters, templates that move with the tissue, matching, units.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...detect.peaks import detect_peaks
from ...detect.subtraction import detect_by_subtraction
from ...errors import ParameterError, RecordingError, SilentRecordingError
from ...features.denoiser import learn_denoiser
from ...graph.checkpoint import CheckpointedEvents
from ...motion.estimate import estimate_motion
from ...per_channel import positions_of
from ...recording.geometry import channel_groups, neighbors_within
from ..default.drift import moving_tissue, noise_at_rest
from ..default.features import Features, learn_features
from ..default.parameters import DefaultParameters
from ..default.sort import Detected, sort_detected
from ..steps.passes import NoUnits, Run
from ..steps.prepared import Prepared
from .outliers import without_outliers
from .parameters import DARTsortParameters
from .prepare import check_dartsort, prepare_dartsort

logger = logging.getLogger(__name__)

#: Threshold of the peaks from which components and the denoiser are learned.
LEARN_THRESHOLD = 5.0


def sort_dartsort(recording: xr.DataArray, parameters: DARTsortParameters, run: Run, **known: Any) -> xr.DataTree:
    """Sort one segment. The ``run`` keeps every pass over the recording, so that none is repeated on resume.

    ``known`` are the last arguments of :func:`detect_dartsort`.
    """
    check_dartsort(recording, parameters)
    detected = detect_dartsort(recording, parameters, run, **known)
    steps = steps_on(recording, parameters)
    return sort_detected(recording, detected, steps, run, given=parameters, finish=parameters.finish)


def detect_dartsort(
    recording: xr.DataArray,
    parameters: DARTsortParameters,
    run: Run,
    *,
    motion: xr.Dataset | None = None,
    motion_is_known: bool = False,
) -> Detected:
    """Prepared traces, the events that subtraction finds in them, and the motion: known, or what the events show."""
    p = parameters
    prepared = prepare_dartsort(recording, p, run)
    features, events = _subtract(prepared, p, run)
    if not motion_is_known:
        motion = find_motion(prepared, events, p, run) if p.do_motion_estimation else None
    tissue = moving_tissue(prepared.whitened, motion)
    around = steps_on(prepared.whitened, p).n_nearest
    features = replace(features, noise_at_rest=noise_at_rest(features.noise, tissue, n_nearest=around))
    return Detected(prepared, features, events, motion, tissue)


def steps_on(recording: xr.DataArray, p: DARTsortParameters) -> DefaultParameters:
    """Parameters of the shared steps; features are on as many channels as most events have within their radius."""
    positions, groups = positions_of(recording, why="features"), channel_groups(recording)
    around = neighbors_within(positions, radius_um=p.featurization_radius_um, groups=groups) >= 0
    steps = p.of_matching
    return steps.model_copy(update={"n_nearest": min(steps.n_nearest, int(np.median(around.sum(axis=1))))})


def _subtract(prepared: Prepared, p: DARTsortParameters, run: Run) -> tuple[Features, CheckpointedEvents]:
    """Events with places and features that are free of overlapping spikes, and what the features are made with."""
    white, levels = prepared.whitened, prepared.white_noise_levels
    steps = steps_on(white, p)
    peaks = detect_peaks(white, noise_levels=levels, detect_threshold=LEARN_THRESHOLD, peak_sign=p.peak_sign)
    features = learn_features(prepared, peaks, steps, run)
    try:
        denoiser = run.once(
            learn_denoiser,
            white,
            peaks,
            rank=p.temporal_pca_rank,
            ms_before=max(p.ms_before, p.feature_ms_before),
            ms_after=max(p.ms_after, p.feature_ms_after),
            fit_radius_um=p.fit_radius_um,
            excerpts=prepared.white_excerpts,
        )
    except SilentRecordingError:
        raise NoUnits from None
    events = detect_by_subtraction(
        white,
        denoiser=denoiser,
        noise_levels=levels,
        components=features.components,
        n_nearest=steps.n_nearest,
        localization_radius_um=p.localization_radius_um,
        detect_threshold=p.voltage_threshold,
        energy_threshold=p.initial_threshold,
        peak_sign=p.peak_sign,
        radius_um=p.subtraction_radius_um,
        exclude_radius_um=p.deduplication_radius_um,
    )
    return features, run.collect("subtract", events)


def find_motion(prepared: Prepared, events: CheckpointedEvents, p: DARTsortParameters, run: Run) -> xr.Dataset | None:
    """The motion of the events; None if the probe or the recording is too short to tell."""
    chosen = _events_for_motion(prepared, events, p)
    try:
        motion = run.once(
            estimate_motion,
            prepared.whitened,
            chosen,
            bin_s=p.temporal_bin_length_s,
            rigid=p.rigid,
            win_step_um=p.window_step_um,
            win_scale_um=p.window_scale_um,
            win_margin_um=p.window_margin_um,
            bin_um=p.spatial_bin_length_um,
            disp_max_um=p.max_disp_um,
            time_horizon_s=p.max_dt_s,
            mincorr=p.correlation_threshold,
            histogram_depth_smooth_um=p.spatial_bin_length_um if p.smoothing_um is None else p.smoothing_um,
            histogram_time_smooth_s=p.temporal_bin_length_s if p.smoothing_s is None else p.smoothing_s,
        )
    except (RecordingError, ParameterError) as reason:
        logger.info("drift is not followed: %s", reason)
        return None
    if motion is None:
        return None
    return without_outliers(
        motion,
        speed_max_um_per_s=p.speed_limit_um_per_s,
        distance_max_um=p.max_dist_from_median_um,
        n_bins=p.median_neighborhood_bins,
    )


def _events_for_motion(prepared: Prepared, events: CheckpointedEvents, p: DARTsortParameters) -> NDArray[Any]:
    """Events on the probe that are large enough."""
    records = events.load(("sample_index", "channel_index", "amplitude", "y"))
    y = positions_of(prepared.whitened, why="motion")[:, 1]
    smallest = p.motion_voltage_threshold * prepared.white_noise_levels.values[records["channel_index"]]
    size = np.abs(records["amplitude"])
    near = (records["y"] > y.min() - p.probe_boundary_padding_um) & (
        records["y"] < y.max() + p.probe_boundary_padding_um
    )
    return records[near & (size >= smallest) & (size >= (p.min_amplitude or 0.0))]
