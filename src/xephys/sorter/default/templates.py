"""Templates of clusters in the preset ``default``: means of spikes, those that can be matched, and their thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import xarray as xr

from ...graph.checkpoint import StoredRecords
from ...match.noise_gain import estimate_noise_gain
from ...match.thresholds import balance_thresholds
from ...motion.registered import Tissue
from ..steps.clusters import Clusters
from ..steps.passes import NoUnits, Run
from ..steps.prepared import Prepared
from ..steps.tidy import MatchableTemplates, tidy_templates
from ..steps.waveforms import mean_waveforms
from .drift import at_rest, matchable_at_every_displacement, means_by_displacement
from .parameters import DefaultParameters
from .silence import N_SPIKES_MAX


def cluster_means(
    traces: xr.DataArray,
    clusters: Clusters,
    p: DefaultParameters,
    run: Run,
    tissue: Tissue | None,
    *,
    n_nearest: int,
) -> xr.Dataset:
    """Mean waveforms of clusters around their most frequent peak channel; by displacement if the tissue moves."""
    settings: dict[str, Any] = {
        "peak_channels": clusters.peak_channels(),
        "ms_before": p.ms_before,
        "ms_after": p.ms_after,
        "seed": p.seed,
        "n_nearest": n_nearest,
    }
    if tissue is not None:
        return means_by_displacement(traces, clusters.spikes, run, tissue=tissue, **settings)
    return mean_waveforms(traces, clusters.spikes, run, n_spikes_max=N_SPIKES_MAX, **settings)


def matchable_templates(
    templates: xr.Dataset, clusters: Clusters, prepared: Prepared, p: DefaultParameters, run: Run
) -> tuple[MatchableTemplates, xr.Dataset]:
    """The resting templates that can be matched, with their ``noise_gain``, and the same at every displacement."""
    matchable = tidy_templates(
        clusters.with_unexplained(at_rest(templates)),
        clusters.num_spikes,
        n_spikes_min=p.n_spikes_min,
        matched=None if clusters.unexplained is None else clusters.spikes,
        n_samples=prepared.whitened.sizes["time"],
    )
    if not matchable.templates.sizes["unit"]:
        raise NoUnits(clusters.log + matchable.log)
    resting, excerpts = matchable.templates, prepared.white_excerpts
    gain = run.once(estimate_noise_gain, prepared.whitened, templates=resting, excerpts=excerpts)
    matchable = replace(matchable, templates=resting.assign_attrs(noise_gain=float(gain)))
    return matchable, matchable_at_every_displacement(matchable, templates)


def with_thresholds(
    templates: xr.Dataset, matches: StoredRecords, prepared: Prepared, p: DefaultParameters, run: Run, *, moving: bool
) -> xr.Dataset:
    """The templates with ``relative_threshold``, the factor of each on the usual threshold."""
    thresholds = run.once(
        balance_thresholds,
        prepared.whitened,
        matches,
        templates=templates,
        match_threshold=p.match_threshold,
        noise_gain=templates.attrs["noise_gain"],
        amplitude_std=p.amplitude_std,
        excerpts=prepared.white_excerpts,
        moving=moving,
    )
    return templates.assign(relative_threshold=("unit", thresholds / p.match_threshold))
