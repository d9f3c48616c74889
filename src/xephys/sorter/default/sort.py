"""The preset ``default`` in eight steps: prepare, detect, cluster, make templates, match, refine, select, assemble."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.missed import cluster_missed, with_missed
from ...cluster.peaks import cluster_peaks
from ...cluster.refine import estimated_counts, refine_clusters
from ...cluster.unexplained import estimate_unexplained
from ...detect.peaks import detect_peaks
from ...features.waveforms import project_peaks
from ...graph.checkpoint import CheckpointedEvents, StoredRecords
from ...graph.columns import Records
from ...graph.events import SpikeTable
from ...localize.peaks import localize_peaks
from ...match.selected import SelectedRecords
from ...match.thresholds import LOWEST
from ...motion.registered import Tissue
from ...recording.clock import first_sample
from ...recording.kept import on_their_device
from ..steps.assemble import appearance_of, assemble
from ..steps.clusters import Clusters, check_found, clustering_log
from ..steps.judge import judge_units
from ..steps.learned import learned_nodes
from ..steps.live import are_live, live_records, silent_stretches, without_echoes
from ..steps.passes import NoUnits, Run
from ..steps.prepared import Prepared
from ..steps.select import own_matches, spikes_among
from ..steps.tails import STRENGTH_MIN, STRENGTH_OF_CROSSINGS, Weakest, only_weak
from ..steps.tidy import USUAL_FINISH, Finish, Units, tidy_units
from ..steps.waveforms import N_CHANNELS, N_CHANNELS_TO_COLOR, colored_means, nearest_slots, unit_means
from .drift import (
    find_motion,
    follows_drift,
    match,
    mean_at_rest,
    moving_tissue,
    noise_at_rest,
    peaks_at_rest,
    pieces_of_units,
    spikes_at_rest,
    templates_of,
    where_units_fire,
    with_moved_traces,
)
from .features import Features, learn_features
from .parameters import DefaultParameters
from .prepare import prepare_default
from .silence import N_NEAREST, match_near_silence
from .templates import cluster_means, matchable_templates, with_thresholds

if TYPE_CHECKING:
    from ..presets import Parameters

#: The refinement that also clusters the residual of matching; later ones examine the units found there.
LOOK_AT = 1
#: Number of channels on which a spike's shape tells whether it belongs to the unit; a small unit hardly reaches more.
N_CHANNELS_TO_JUDGE = 10
#: How peaks are localized: the center of mass of a few contacts lags behind the tissue, by a fifth on a grid of 20 µm.
PEAK_LOCALIZATION = "monopolar_triangulation"


@dataclass(frozen=True)
class Detected:
    """What a sort starts from: prepared traces, their events with positions and projections, and the motion."""

    prepared: Prepared
    features: Features
    events: CheckpointedEvents
    motion: xr.Dataset | None
    tissue: Tissue | None


def sort_default(recording: xr.DataArray, parameters: DefaultParameters, run: Run) -> xr.DataTree:
    """Sort one segment. What the ``run`` keeps is not repeated, neither on resume nor with other late parameters."""
    detected = _peaks_in_tissue(recording, parameters, run)
    return sort_detected(recording, detected, parameters, run, given=parameters)


def sort_detected(
    recording: xr.DataArray,
    detected: Detected,
    parameters: DefaultParameters,
    run: Run,
    *,
    given: Parameters,
    finish: Finish = USUAL_FINISH,
) -> xr.DataTree:
    """Sort a segment whose events are known; the sorting records the parameters that were ``given`` to the preset."""
    p, prepared, features, tissue = parameters, detected.prepared, detected.features, detected.tissue
    judges = given is p  # other presets share these steps, but have clusters of their own kind
    weak: dict[str, Any] = {"norm_min": STRENGTH_MIN if judges else STRENGTH_OF_CROSSINGS}
    white, components = prepared.whitened, features.components
    around: dict[str, Any] = {"n_nearest": p.n_nearest, "guard_ms": p.ms_before + p.ms_after}
    silences = silent_stretches(recording, prepared.filtered, run)
    whole = live_records(peaks_at_rest(detected.events, tissue), silences, white, **around)
    clusters = _cluster(white, whole, features, p, run)

    for number in range(1, p.n_refinements + 1):
        means = cluster_means(white, clusters, p, run, tissue, n_nearest=N_NEAREST)
        matchable, templates = matchable_templates(templates_of(means, tissue), clusters, prepared, p, run)
        looks = number == LOOK_AT
        peaks = {"peaks": _peak_settings(prepared, p)} if looks else {}
        here = white if looks or tissue is not None else on_their_device(white)  # a device can do neither of the two
        spikes = _match(here, templates, p, tissue, components=components, n_nearest=p.n_nearest, **peaks)
        matched = run.collect(f"refine {number}", spikes)
        firing = where_units_fire(matched, templates, tissue, match_threshold=p.match_threshold)
        resting_spikes = spikes_at_rest(firing, tissue, templates=templates, components=components)
        resting_spikes = live_records(resting_spikes, silences, white, **around)
        clusters = _refine(white, resting_spikes, clusters, features, p, run, number=number, looks=looks, **weak)

    means = cluster_means(white, clusters, p, run, tissue, n_nearest=N_CHANNELS_TO_COLOR)
    last_templates = templates_of(nearest_slots(means, N_NEAREST), tissue)
    matchable, templates = matchable_templates(last_templates, clusters, prepared, p, run)
    live = partial(are_live, silences=silences, white=white, **around)
    matches, others = _last_match(white, templates, components, p, tissue, run, live=live if judges else None)
    resting = with_thresholds(matchable.templates, matches, prepared, p, run, moving=tissue is not None)
    weakest = _weakest(matches, resting, features, p, only_weak_units=judges)
    matches, by_shape = spikes_among(
        matches, resting, live(matches), match_threshold=p.match_threshold, n_spikes_min=p.n_spikes_min,
        judges=judges and tissue is None,
    )  # fmt: skip
    matches = _right_near_silence(matches, resting, silences, white, p, run, tissue, **around)
    units = _tidied(recording, matches, resting, templates, tissue, p, finish=finish, weakest=weakest)
    log = clusters.log + matchable.log + others + by_shape + units.log
    if not units.templates.sizes["unit"]:
        raise NoUnits(log)
    resting_means = mean_at_rest(means.isel(unit=matchable.index), tissue)
    filtered_means = colored_means(resting_means, prepared.whitening, n_nearest=N_CHANNELS)
    seen = appearance_of(unit_means(filtered_means, units.origin), prepared)
    quality = judge_units(recording, units.spikes, seen, **p.good_limits)
    learned = learned_nodes(prepared, resting, units.origin, components=components) if given is p else None
    return assemble(
        recording, units.spikes, seen, quality, preset=run.preset, parameters=given, log=log, motion=detected.motion,
        learned=learned,
    )  # fmt: skip


def _peaks_in_tissue(recording: xr.DataArray, p: DefaultParameters, run: Run) -> Detected:
    """Prepared traces and their peaks, with what is known of the motion; traces move here if they are to."""
    prepared = prepare_default(recording, p, run)
    features, detected = _detect(prepared, p, run, stage="detect")
    motion = find_motion(prepared.whitened, detected, run) if follows_drift(p) else None
    tissue = moving_tissue(prepared.whitened, motion)
    if p.drift != "interpolate" or tissue is None:
        features = replace(features, noise_at_rest=noise_at_rest(features.noise, tissue, n_nearest=p.n_nearest))
        return Detected(prepared, features, detected, motion, tissue)
    prepared = with_moved_traces(prepared, tissue.motion, p, run)
    return Detected(prepared, *_detect(prepared, p, run, stage="detect again"), motion, None)


def _last_match(
    white: xr.DataArray,
    templates: xr.Dataset,
    components: xr.DataArray,
    p: DefaultParameters,
    tissue: Tissue | None,
    run: Run,
    *,
    live: Callable[[StoredRecords], NDArray[np.bool_]] | None,
) -> tuple[StoredRecords, list[dict[str, Any]]]:
    """The matches from which the spikes are selected, where their unit fires and of its shape, and the log.

    ``live`` tells which spikes lie beside no silent channel; None if shapes are not judged.
    """
    threshold = LOWEST * p.match_threshold
    n_nearest = min(N_CHANNELS_TO_JUDGE, p.n_nearest)
    projection: dict[str, Any] = {"components": components, "n_nearest": n_nearest} if live is not None else {}
    white = on_their_device(white) if tissue is None else white
    spikes = _match(white, templates, p, tissue, match_threshold=threshold, **projection)
    matched = run.collect("match", localize_peaks(white, spikes))
    firing = where_units_fire(matched, templates, tissue, match_threshold=threshold)
    if live is None:
        return firing, []
    seen = spikes_at_rest(firing, tissue, templates=templates, components=components)
    own, log = own_matches(seen, live(seen), n_spikes_min=p.n_spikes_min)
    return SelectedRecords(firing, own.selected), log


def _weakest(
    matches: Records, resting: xr.Dataset, features: Features, p: DefaultParameters, *, only_weak_units: bool
) -> Weakest:
    """The matches that tell whether a unit is a neuron: any unit, or only those that noise could have made."""
    weakest = Weakest(matches, LOWEST * p.match_threshold)
    known = {"components": features.components, "feature_noise": features.noise_at_rest}
    return only_weak(weakest, resting, **known) if only_weak_units else weakest


def _tidied(
    recording: xr.DataArray,
    matches: Records,
    resting: xr.Dataset,
    templates: xr.Dataset,
    tissue: Tissue | None,
    p: DefaultParameters,
    *,
    finish: Finish,
    weakest: Weakest | None,
) -> Units:
    """The units of the selected spikes; their pieces at different displacements are joined."""
    n_samples = recording.sizes["time"]
    return tidy_units(
        matches,
        resting,
        n_spikes_min=p.n_spikes_min,
        first_sample=first_sample(recording),
        n_samples=n_samples,
        pieces=pieces_of_units(matches, templates, tissue, duration_samples=n_samples),
        finish=finish,
        weakest=weakest,
    )


def _right_near_silence(
    matches: Records,
    resting: xr.Dataset,
    silences: NDArray[Any] | None,
    white: xr.DataArray,
    p: DefaultParameters,
    run: Run,
    tissue: Tissue | None,
    **around: Any,
) -> Records:
    """The matches without echoes in silent channels, and, where the tissue rests, found again near these."""
    real = partial(without_echoes, silences=silences, white=white, n_units=resting.sizes["unit"], **around)
    matches = real(matches)
    if tissue is not None:
        return matches
    at_lowest = partial(_match, white, p=p, tissue=None, match_threshold=LOWEST * p.match_threshold)
    return real(match_near_silence(matches, resting, silences, white, p, run, match=at_lowest, **around))


def _detect(prepared: Prepared, p: DefaultParameters, run: Run, *, stage: str) -> tuple[Features, CheckpointedEvents]:
    """Detected peaks with positions and projections, and the features used for these."""
    white = prepared.whitened
    peaks = detect_peaks(white, **_peak_settings(prepared, p))
    features = learn_features(prepared, peaks, p, run)
    peaks = localize_peaks(white, peaks, method=PEAK_LOCALIZATION)
    peaks = project_peaks(white, peaks, components=features.components, n_nearest=p.n_nearest)
    return features, run.collect(stage, peaks)


def _peak_settings(prepared: Prepared, p: DefaultParameters) -> dict[str, Any]:
    """The definition of a peak, as arguments of :func:`detect_peaks`."""
    return {
        "noise_levels": prepared.white_noise_levels,
        "detect_threshold": p.detect_threshold,
        "peak_sign": p.peak_sign,
        "exclude_sweep_ms": p.exclude_sweep_ms,
        "radius_um": p.exclude_radius_um,
    }


def _cluster(white: xr.DataArray, peaks: StoredRecords, features: Features, p: DefaultParameters, run: Run) -> Clusters:
    """Clusters of the detected peaks."""
    clustering = run.once(
        cluster_peaks,
        white,
        peaks,
        components=features.components,
        feature_noise=features.noise_at_rest,
        n_spikes_min=p.n_spikes_min,
        n_peaks_per_section_max=p.n_peaks_per_section_max,
    )
    log = clustering_log(clustering, step="cluster")
    check_found(clustering, log)
    spikes = clustering.spikes(peaks)
    return Clusters(spikes, np.bincount(spikes["unit_index"]).astype(np.float64), log)


def _refine(
    white: xr.DataArray,
    spikes: StoredRecords,
    clusters: Clusters,
    features: Features,
    p: DefaultParameters,
    run: Run,
    *,
    number: int,
    looks: bool,
    norm_min: float,
) -> Clusters:
    """Split and merge the spikes that templates of the ``clusters`` matched, and cluster the residual if asked to."""
    clustering = run.once(
        refine_clusters,
        white,
        spikes,
        components=features.components,
        feature_noise=features.noise,
        n_spikes_min=p.n_spikes_min,
        norm_min=norm_min,
    )
    log = clusters.log + clustering_log(clustering, step=f"refine {number}")
    if looks:
        missed = run.once(
            cluster_missed,
            white,
            spikes,
            components=features.components,
            feature_noise=features.noise_at_rest,
            n_spikes_min=p.n_spikes_min,
            n_peaks_per_section_max=p.n_peaks_per_section_max,
        )
        log += clustering_log(missed, step="look at what is left")
        clustering = with_missed(clustering, missed)
    check_found(clustering, log)
    return Clusters(
        clustering.spikes(spikes),
        estimated_counts(spikes, clustering.labels),
        log,
        estimate_unexplained(spikes, clustering.labels, feature_noise=features.noise),
    )


def _match(
    white: xr.DataArray,
    templates: xr.Dataset,
    p: DefaultParameters,
    tissue: Tissue | None,
    *,
    match_threshold: float | None = None,
    **projection: Any,
) -> SpikeTable:
    """Spikes of the templates within the limits of the preset."""
    return match(
        white,
        templates,
        tissue,
        noise_gain=templates.attrs["noise_gain"],
        match_threshold=p.match_threshold if match_threshold is None else match_threshold,
        amplitude_min=p.amplitude_min,
        amplitude_max=p.amplitude_max,
        amplitude_std=p.amplitude_std,
        freq_max_hz=p.freq_max_hz,
        **projection,
    )
