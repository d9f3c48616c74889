"""The preset ``kilosort4``, from top to bottom: learn shapes, detect everywhere, cluster, match, cluster again, merge.

It follows Kilosort4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods 21:914) step by step, under its
parameters. The sorting has an additional group, ``/kilosort4``, with the contents of that system's files:

- ``whitening (channel, channel_out)``: multiplies traces from the left, channel by channel;
- ``shape (shape, sample)`` and ``component (component, sample)``, with the attribute ``nbefore``;
- ``template (unit, sample, channel)``: mean whitened waveforms; ``similarity (unit, other)``;
- ``feature_channel (unit, slot)``: the channels of ``projection (spike, slot, component)``, the cleaned features;
- ``detection_template (spike)``: the learned template that found the spike; ``feature_norm (spike)``: its whitened
  amplitude;
- ``kept (found)``: which of all matched spikes, in time order, are not duplicates.

``spike`` numbers the spikes of ``/spikes``, in the same order. ``batch_size`` only affects scheduling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.modularity import cluster_by_modularity
from ...cluster.settle import THINNED, Clustering
from ...detect.universal import detect_universal, universal_templates
from ...errors import SilentRecordingError
from ...features.shapes import learn_shapes, standard_shapes
from ...features.waveforms import project_peaks
from ...graph.checkpoint import CheckpointedEvents
from ...graph.events import SpikeTable
from ...match.templates import match_templates
from ..steps.passes import NoUnits, Run
from ..steps.sums import log_of_sums, sums_of_two
from .drift import estimate_drift, without_drift
from .parameters import Kilosort4Parameters
from .prepare import BATCH_S, chosen_part, prepare_white
from .templates import learned_templates
from .units import assemble_kilosort4, merged_units

#: Limits of a spike's amplitude as a multiple of its template: free, but within what one neuron can produce.
AMPLITUDE_MIN, AMPLITUDE_MAX = 0.3, 3.0
#: In a section with more detected spikes, this many are clustered: the first clustering only serves to make templates.
N_PEAKS_PER_SECTION_MAX = 50_000


def sort_kilosort4(recording: xr.DataArray, parameters: Kilosort4Parameters, run: Run) -> xr.DataTree:
    """Sort one segment. The ``run`` keeps every pass over the recording, so that none is repeated on resume."""
    p = parameters
    prepared = prepare_white(chosen_part(recording, p), p, run)
    white, shapes = prepared.whitened, _shapes(prepared.whitened, p, run)

    universal = universal_templates(
        white,
        shapes=shapes,
        dmin=p.dmin,
        dminx=p.dminx,
        min_template_size=p.min_template_size,
        template_sizes=p.template_sizes,
        nearest_chans=p.nearest_chans,
        nearest_templates=p.nearest_templates,
        max_channel_distance=p.max_channel_distance,
    )
    motion = estimate_drift(prepared, universal, p, run)
    if motion is not None:
        prepared = without_drift(prepared, motion, p, run)
        white = prepared.whitened
    peaks = detect_universal(white, templates=universal, detect_threshold=p.Th_universal)
    peaks = project_peaks(white, peaks, components=_components(shapes), n_nearest=2 * p.nearest_chans)
    detected = _thinned_events(run.collect("detect", peaks), p)

    sections = _cluster_settings(universal, shapes, p)
    margin_um = 0.75 * sections["section_um"]
    n_peaks = N_PEAKS_PER_SECTION_MAX
    first = run.once(
        cluster_by_modularity, white, detected, margin_um=margin_um, n_peaks_per_section_max=n_peaks, **sections
    )
    log = _detection_log(first)
    if first.n_clusters == 0:
        raise NoUnits(log)
    templates = learned_templates(white, detected, first.labels, shapes=shapes)
    sums = sums_of_two(templates, templates["num_averaged"].values)
    log += log_of_sums(sums, step="templates", reason="two units at once")
    templates = templates.isel(unit=np.setdiff1d(np.arange(templates.sizes["unit"]), sums["unit"]))

    matched = _thinned_events(run.collect("match", _match(white, templates, shapes, p)), p)
    spikes = matched if isinstance(matched, np.ndarray) else matched.load()
    log.append({"step": "match", "num_spikes": len(spikes), "num_templates": templates.sizes["unit"]})
    if not len(spikes):
        raise NoUnits(log)

    second = run.once(cluster_by_modularity, white, matched, margin_um=0.0, use_times=True, **sections)
    units = merged_units(white, spikes, second.labels, p, shapes=shapes, moved=motion is not None, log=log)
    return assemble_kilosort4(recording, prepared, units, p, run, shapes=shapes, motion=motion)


def _shapes(white: xr.DataArray, p: Kilosort4Parameters, run: Run) -> xr.Dataset:
    """Shapes and components: learned from some tiles, from all tiles if those are silent, or synthetic."""
    rate = float(white.attrs["sampling_frequency"])
    size = {"n_shapes": p.n_templates, "n_components": p.n_pcs, "n_samples": p.nt, "nbefore": p.nbefore}
    if not p.templates_from_data:
        return standard_shapes(sampling_frequency=rate, **size)
    learning: dict[str, Any] = {"detect_threshold": p.Th_single_ch, "seed": p.cluster_init_seed, **size}
    try:
        return run.once(learn_shapes, white, n_tiles=20, **learning)
    except SilentRecordingError:
        return run.once(learn_shapes, white, n_tiles=None, **learning)


def _components(shapes: xr.Dataset) -> xr.DataArray:
    return shapes["component"].assign_attrs(nbefore=int(shapes.attrs["nbefore"]))


def _cluster_settings(universal: xr.Dataset, shapes: xr.Dataset, p: Kilosort4Parameters) -> dict[str, Any]:
    """Parameters that the two clusterings share."""
    return {
        "components": _components(shapes),
        "section_um": max(2.0 * float(universal.attrs["dmin_um"]), 40.0),
        "x_centers": p.x_centers,
        "cluster_neighbors": p.cluster_neighbors,
        "cluster_downsampling": p.cluster_downsampling,
        "max_cluster_subset": p.max_cluster_subset,
        "ccg_threshold": p.ccg_threshold,
        "seed": p.cluster_init_seed,
    }


def _match(white: xr.DataArray, templates: xr.Dataset, shapes: xr.Dataset, p: Kilosort4Parameters) -> SpikeTable:
    """Spikes of the learned templates with their cleaned features."""
    components = _components(shapes)
    return match_templates(
        white,
        templates=templates,
        rank=components.sizes["component"],
        match_threshold=p.Th_learned,
        amplitude_min=AMPLITUDE_MIN,
        amplitude_max=AMPLITUDE_MAX,
        amplitude_std=float("inf"),
        refractory_ms=p.duplicate_spike_ms,
        components=components,
        n_nearest=2 * p.nearest_chans,
    )


def _thinned_events(events: CheckpointedEvents, p: Kilosort4Parameters) -> CheckpointedEvents | NDArray[Any]:
    """The events in one of every ``batch_downsampling`` excerpts of 2 s."""
    if p.batch_downsampling == 1:
        return events
    excerpt = events.load(("sample_index",))["sample_index"] // round(BATCH_S * events.sampling_frequency)
    return events.load(rows=np.flatnonzero(excerpt % p.batch_downsampling == 0))


def _detection_log(clustering: Clustering) -> list[dict[str, Any]]:
    """Log of how much was found, and of the sections in which only some peaks were clustered."""
    names = THINNED.names or ()
    thin = [{"step": "detect", "action": "thin", **{n: row[n].item() for n in names}} for row in clustering.thinned]
    return [{"step": "detect", "num_spikes": len(clustering.labels), "num_clusters": clustering.n_clusters}, *thin]
