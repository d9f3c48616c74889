"""The preset ``default``, from top to bottom: detect, cluster, match and look again, match, tidy up."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.peaks import cluster_peaks
from ...cluster.refine import estimated_counts, refine_clusters
from ...cluster.settle import Clustering
from ...cluster.unexplained import estimate_unexplained
from ...detect.peaks import detect_peaks
from ...errors import SilentRecordingError, XephysWarning
from ...features.components import learn_components
from ...features.noise import estimate_feature_noise
from ...features.waveforms import project_peaks
from ...graph.checkpoint import CheckpointedEvents, run_events
from ...graph.events import SpikeTable
from ...graph.results import CallOnce
from ...localize.peaks import localize_peaks
from ...match.noise_gain import estimate_noise_gain
from ...match.templates import match_templates
from ...recording.stages import recording_plan
from ..steps.assemble import assemble, empty_sorting
from ..steps.learned import learned_nodes
from ..steps.prepare import Prepared, prepare
from ..steps.progress import Progress, warm_up_cluster
from ..steps.tidy import tidy_templates, tidy_units
from ..steps.waveforms import (
    N_CHANNELS,
    N_CHANNELS_TO_WHITEN,
    mean_waveforms,
    nearest_slots,
    unit_means,
    whitened_means,
)
from .parameters import DefaultParameters

#: Channels of a template, and the most spikes that are averaged for it.
N_NEAREST = 64
N_SPIKES_MAX = 1000


def sort_default(
    recording: xr.DataArray, parameters: DefaultParameters, *, folder: Path, progress: Progress
) -> xr.DataTree:
    """Sort one segment. What is computed is stored under ``folder`` and not repeated: on resume, nor with other late
    parameters.
    """
    p, once = parameters, CallOnce(folder)
    try:
        prepared = prepare(recording, p, once)
    except SilentRecordingError as silence:
        warnings.warn(str(silence), XephysWarning, stacklevel=3)
        return empty_sorting(recording, p)
    white = prepared.whitened

    peaks = detect_peaks(
        white,
        noise_levels=prepared.white_noise_levels,
        detect_threshold=p.detect_threshold,
        peak_sign=p.peak_sign,
        exclude_sweep_ms=p.exclude_sweep_ms,
        radius_um=p.exclude_radius_um,
    )
    components = once(
        _components,
        white,
        peaks,
        n_components=p.n_components,
        ms_before=p.ms_before,
        ms_after=p.ms_after,
        seed=p.seed,
    )
    if components is None:
        return empty_sorting(recording, p)
    peaks = project_peaks(white, localize_peaks(white, peaks), components=components, n_nearest=p.n_nearest)
    found = _stored(peaks, folder, progress.of("detect"))

    sample = prepared.white_sample
    feature_noise = once(estimate_feature_noise, white, components=components, sample=sample)
    clustering = once(
        cluster_peaks,
        white,
        found,
        components=components,
        feature_noise=feature_noise,
        n_spikes_min=p.n_spikes_min,
        n_peaks_per_section_max=p.n_peaks_per_section_max,
    )
    spikes = _spikes_of(found.load(("sample_index", "channel_index")), clustering)
    counts = np.bincount(spikes["unit_index"]).astype(np.float64)
    log, unexplained = _decided(clustering, "cluster"), None

    for number in range(1, p.n_refinements + 1):
        if not len(spikes):
            break
        means = _mean_templates(prepared, spikes, p, folder)
        tidied = tidy_templates(_with_unexplained(means, unexplained), counts, p)
        gain = once(estimate_noise_gain, white, templates=tidied.templates, sample=sample)
        again = _match(white, tidied.templates, p, noise_gain=gain, components=components, n_nearest=p.n_nearest)
        found = _stored(again, folder, progress.of(f"refine {number}"))
        clustering = once(
            refine_clusters,
            white,
            found,
            components=components,
            feature_noise=feature_noise,
            n_spikes_min=p.n_spikes_min,
        )
        spikes = _spikes_of(found.load(("sample_index", "channel_index")), clustering)
        counts = estimated_counts(found, clustering.labels)
        unexplained = estimate_unexplained(found, clustering.labels, feature_noise=feature_noise)
        log += _decided(clustering, f"refine {number}")
    if not len(spikes):
        return empty_sorting(recording, p, log=log)

    means = mean_waveforms(
        prepared.filtered,
        spikes,
        p,
        folder,
        peak_channels=_peak_channels(spikes, white.sizes["channel"]),
        n_spikes_max=N_SPIKES_MAX,
        n_nearest=N_CHANNELS_TO_WHITEN,
    )
    templates = whitened_means(means, prepared.whitening, n_nearest=N_NEAREST)
    tidied = tidy_templates(_with_unexplained(templates, unexplained), counts, p)
    log += tidied.log
    if tidied.templates.sizes["unit"] == 0:
        return empty_sorting(recording, p, log=log)
    gain = once(estimate_noise_gain, white, templates=tidied.templates, sample=sample)
    matched = localize_peaks(white, _match(white, tidied.templates, p, noise_gain=gain))
    matches = _stored(matched, folder, progress.of("match")).load()
    num_matched = np.bincount(matches["unit_index"], minlength=tidied.templates.sizes["unit"])
    first_sample = recording_plan(recording).start
    final = tidy_units(matches, tidied, p, first_sample=first_sample, n_samples=recording.sizes["time"])
    log += final.log
    learned = learned_nodes(prepared, tidied.templates, final, components=components, noise_gain=gain)
    return assemble(
        recording,
        prepared,
        final,
        p,
        means=unit_means(nearest_slots(means.isel(unit=tidied.kept), N_CHANNELS), final, num_spikes=num_matched),
        log=log,
        learned=learned,
        first_sample=first_sample,
    )


def _stored(events: SpikeTable, folder: Path, progress: Any) -> CheckpointedEvents:
    """One pass over the recording, on workers that have the kernels compiled."""
    warm_up_cluster(events.plan)
    return run_events(events, folder, progress=progress)


def _components(white: xr.DataArray, peaks: SpikeTable, **parameters: Any) -> xr.DataArray | None:
    """Temporal components from some tiles, or from all if those are silent; None if the whole recording is."""
    for n_tiles in (20, None):
        with suppress(SilentRecordingError):
            return learn_components(white, peaks, n_tiles=n_tiles, **parameters)
    return None


def _match(white: xr.DataArray, templates: xr.Dataset, p: DefaultParameters, **more: Any) -> SpikeTable:
    """Spikes of the templates with the limits of the preset."""
    return match_templates(
        white,
        templates=templates,
        detect_threshold=p.match_threshold,
        amplitude_min=p.amplitude_min,
        amplitude_max=p.amplitude_max,
        freq_max_hz=p.freq_max_hz,
        **more,
    )


def _mean_templates(prepared: Prepared, spikes: NDArray[Any], p: DefaultParameters, folder: Path) -> xr.Dataset:
    """Templates on the whitened traces, around the channel where most of a cluster's peaks are."""
    return mean_waveforms(
        prepared.whitened,
        spikes,
        p,
        folder,
        peak_channels=_peak_channels(spikes, prepared.whitened.sizes["channel"]),
        n_spikes_max=N_SPIKES_MAX,
        n_nearest=N_NEAREST,
    )


def _with_unexplained(templates: xr.Dataset, share: NDArray[np.float64] | None) -> xr.Dataset:
    """Templates for which pairs of spikes are weighed; before matched spikes have been seen there are none."""
    return templates if share is None else templates.assign(unexplained=("unit", share))


def _peak_channels(spikes: NDArray[Any], n_channels: int) -> NDArray[np.int64]:
    """The channel where most of a cluster's peaks are."""
    counts = np.zeros((int(spikes["unit_index"].max()) + 1, n_channels), np.int64)
    np.add.at(counts, (spikes["unit_index"], spikes["channel_index"]), 1)
    return counts.argmax(axis=1)


def _spikes_of(peaks: NDArray[Any], clustering: Clustering) -> NDArray[Any]:
    """The clustered peaks as spikes, aligned alike within each cluster, in time order."""
    kept = clustering.labels >= 0
    spikes = np.zeros(
        int(kept.sum()),
        [("sample_index", "<i8"), ("channel_index", "<i8"), ("unit_index", "<i8")],
    )
    spikes["sample_index"] = peaks["sample_index"][kept] + clustering.sample_shift[kept]
    spikes["channel_index"] = peaks["channel_index"][kept]
    spikes["unit_index"] = clustering.labels[kept]
    return spikes[np.argsort(spikes["sample_index"], kind="stable")]


def _decided(clustering: Clustering, step: str) -> list[dict[str, Any]]:
    """What was thinned, split, dropped and merged, in this order, with the figures and the reasons."""
    merged = clustering.decisions[clustering.decisions["merged"]]
    made = {"thin": clustering.thinned, "split": clustering.splits, "drop": clustering.dropped, "merge": merged}
    return [
        {"step": step, "action": action, **{name: row[name].item() for name in rows.dtype.names or ()}}
        for action, rows in made.items()
        for row in rows
    ]
