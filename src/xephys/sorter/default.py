"""The preset ``default``, from top to bottom: detect, cluster, make templates, match, look again, tidy up."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..cluster.peaks import Clustering, cluster_peaks
from ..detect import detect_peaks
from ..errors import SilentRecordingError, XephysWarning
from ..features import estimate_feature_noise, learn_components, project_peaks
from ..graph.checkpoint import run_events, run_partials
from ..graph.events import SpikeTable
from ..graph.results import CallOnce
from ..localize import localize_peaks
from ..match import estimate_noise_gain, match_templates
from ..templates import template_plan, templates_of_sums
from .assemble import assemble, empty_sorting
from .learned import learned_nodes
from .parameters import DefaultParameters
from .prepare import Prepared, prepare
from .progress import Progress, warm_up_cluster
from .tidy import tidy_templates, tidy_units


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
    warm_up_cluster(peaks.plan)
    found = run_events(peaks, folder, progress=progress.of("detect"))

    sample = prepared.white_sample
    clustering = once(
        cluster_peaks,
        white,
        found,
        components=components,
        feature_noise=once(estimate_feature_noise, white, components=components, sample=sample),
        n_spikes_min=p.n_spikes_min,
        n_peaks_per_section_max=p.n_peaks_per_section_max,
    )
    if clustering.n_clusters == 0:
        return empty_sorting(recording, p)
    spikes = _spikes_of(found.load(("sample_index", "channel_index")), clustering)

    tidied = tidy_templates(_mean_templates(prepared, spikes, p, folder), spikes, p)
    if tidied.templates.sizes["unit"] == 0:
        return empty_sorting(recording, p, log=tidied.log)
    gain = once(estimate_noise_gain, white, templates=tidied.templates, sample=sample)
    matched = match_templates(
        white,
        templates=tidied.templates,
        detect_threshold=p.match_threshold,
        noise_gain=gain,
        amplitude_min=p.amplitude_min,
        amplitude_max=p.amplitude_max,
    )
    located = localize_peaks(white, matched)
    warm_up_cluster(located.plan)
    matches = run_events(located, folder, progress=progress.of("match")).load()
    final = tidy_units(matches, tidied, p, n_samples=recording.sizes["time"])
    log = [*_merges(clustering.decisions), *tidied.log, *final.log]
    learned = learned_nodes(prepared, tidied.templates, final, components=components, noise_gain=gain)
    return assemble(recording, prepared, final, p, log=log, folder=folder, learned=learned)


def _components(white: xr.DataArray, peaks: SpikeTable, **parameters: Any) -> xr.DataArray | None:
    """Temporal components from some tiles, or from all if those are silent; None if the whole recording is."""
    for n_tiles in (20, None):
        with suppress(SilentRecordingError):
            return learn_components(white, peaks, n_tiles=n_tiles, **parameters)
    return None


def _mean_templates(prepared: Prepared, spikes: NDArray[Any], p: DefaultParameters, folder: Path) -> xr.Dataset:
    """Templates on the whitened traces, around the channel where most of a cluster's peaks are."""
    n_units = int(spikes["unit_index"].max()) + 1
    counts = np.zeros((n_units, prepared.whitened.sizes["channel"]), np.int64)
    np.add.at(counts, (spikes["unit_index"], spikes["channel_index"]), 1)
    plan = template_plan(
        prepared.whitened,
        spikes,
        peak_channels=counts.argmax(axis=1),
        ms_before=p.ms_before,
        ms_after=p.ms_after,
        n_nearest=32,
        n_spikes_max=1000,
        seed=p.seed,
    )
    return templates_of_sums(prepared.whitened, plan, run_partials(plan, folder))


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


def _merges(decisions: NDArray[Any]) -> list[dict[str, Any]]:
    names = decisions.dtype.names or ()
    return [{"step": "cluster", **{n: row[n].item() for n in names}} for row in decisions if row["merged"]]
