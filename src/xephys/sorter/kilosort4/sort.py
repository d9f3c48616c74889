"""The preset ``kilosort4``, from top to bottom: learn shapes, detect everywhere, cluster, match, cluster again, merge.

It follows Kilosort4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods 21:914) step by step, under its
parameters. The sorting has one group more, ``/kilosort4``, with what a folder of that system's files needs:

- ``whitening (channel, channel_out)``: traces are multiplied by it from the left, channel by channel;
- ``shape (shape, sample)`` and ``component (component, sample)``, with the attribute ``nbefore``;
- ``template (unit, sample, channel)``: mean whitened waveforms; ``similarity (unit, other)``;
- ``feature_channel (unit, slot)``: the channels of ``projection (spike, slot, component)``, the cleaned features;
- ``detection_template (spike)``: which learned template found it; ``feature_norm (spike)``: its whitened amplitude;
- ``kept (found)``: of all spikes that were matched, in time order, which are not duplicates.

``spike`` counts the spikes of ``/spikes``, in the same order. ``batch_size`` only schedules.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.modularity import cluster_by_modularity
from ...cluster.settle import THINNED
from ...detect.universal import detect_universal, universal_templates
from ...errors import SilentRecordingError, XephysWarning
from ...features.shapes import learn_shapes, standard_shapes
from ...features.waveforms import project_peaks
from ...graph.checkpoint import CheckpointedEvents, run_events
from ...graph.results import CallOnce
from ...match.templates import match_templates
from ..steps.progress import Progress, warm_up_cluster
from .parameters import Kilosort4Parameters
from .prepare import STRETCH_S, chosen_part, prepare_white
from .units import assemble_kilosort4, learned_templates, merged_units, no_units

#: Amplitudes of a spike as a multiple of its template: free, within what can be the same neuron.
AMPLITUDE_MIN, AMPLITUDE_MAX = 0.3, 3.0
#: Where a section has more detected spikes, this many are clustered: a first clustering is for templates.
N_PEAKS_PER_SECTION_MAX = 50_000


def sort_kilosort4(
    recording: xr.DataArray, parameters: Kilosort4Parameters, *, folder: Path, progress: Progress
) -> xr.DataTree:
    """Sort one segment. Every pass over the recording is stored under ``folder`` and not repeated on resume."""
    p, once = parameters, CallOnce(folder)
    part = chosen_part(recording, p)
    try:
        prepared = prepare_white(part.recording, p, once)
        shapes = _shapes(prepared.whitened, p, once)
    except SilentRecordingError as silence:
        warnings.warn(str(silence), XephysWarning, stacklevel=3)
        return no_units(recording, p)
    white, components = prepared.whitened, _components(shapes)

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
    peaks = detect_universal(white, templates=universal, detect_threshold=p.Th_universal)
    peaks = project_peaks(white, peaks, components=components, n_nearest=2 * p.nearest_chans)
    warm_up_cluster(peaks.plan)
    found = _looked_at(run_events(peaks, folder, progress=progress.of("detect")), p)

    section_um = max(2.0 * float(universal.attrs["dmin_um"]), 40.0)
    settings: dict[str, Any] = {
        "components": components,
        "section_um": section_um,
        "x_centers": p.x_centers,
        "cluster_neighbors": p.cluster_neighbors,
        "cluster_downsampling": p.cluster_downsampling,
        "max_cluster_subset": p.max_cluster_subset,
        "ccg_threshold": p.ccg_threshold,
        "seed": p.cluster_init_seed,
    }
    first = once(
        cluster_by_modularity,
        white,
        found,
        margin_um=0.75 * section_um,
        n_peaks_per_section_max=N_PEAKS_PER_SECTION_MAX,
        **settings,
    )
    log: list[dict[str, Any]] = [{"step": "detect", "num_spikes": len(first.labels), "num_clusters": first.n_clusters}]
    log += [
        {"step": "detect", "action": "thin", **{n: row[n].item() for n in THINNED.names or ()}} for row in first.thinned
    ]
    if first.n_clusters == 0:
        return no_units(recording, p, log=log)
    learned = learned_templates(white, found, first.labels, shapes=shapes)

    matched = match_templates(
        white,
        templates=learned,
        rank=components.sizes["component"],
        detect_threshold=p.Th_learned,
        amplitude_min=AMPLITUDE_MIN,
        amplitude_max=AMPLITUDE_MAX,
        amplitude_std=float("inf"),
        refractory_ms=p.duplicate_spike_ms,
        components=components,
        n_nearest=2 * p.nearest_chans,
    )
    warm_up_cluster(matched.plan)
    matches = _looked_at(run_events(matched, folder, progress=progress.of("match")), p)
    spikes = matches if isinstance(matches, np.ndarray) else matches.load()
    log.append({"step": "match", "num_spikes": len(spikes), "num_templates": learned.sizes["unit"]})
    if not len(spikes):
        return no_units(recording, p, log=log)

    second = once(cluster_by_modularity, white, matches, margin_um=0.0, use_times=True, **settings)
    final = merged_units(white, spikes, second.labels, p, shapes=shapes)
    return assemble_kilosort4(
        recording, prepared, final, p, shapes=shapes, log=[*log, *final.log], folder=folder,
        first_sample=part.first_sample,
    )  # fmt: skip


def _shapes(white: xr.DataArray, p: Kilosort4Parameters, once: CallOnce) -> xr.Dataset:
    """Shapes and components: learned from some tiles, from all if those are silent, or drawn."""
    rate = float(white.attrs["sampling_frequency"])
    size = {"n_shapes": p.n_templates, "n_components": p.n_pcs, "n_samples": p.nt, "nbefore": p.nbefore}
    if not p.templates_from_data:
        return standard_shapes(sampling_frequency=rate, **size)
    for n_tiles in (20, None):
        try:
            return once(
                learn_shapes, white, detect_threshold=p.Th_single_ch, n_tiles=n_tiles, seed=p.cluster_init_seed, **size
            )
        except SilentRecordingError:
            if n_tiles is None:
                raise
    raise AssertionError("the last try returns or raises")


def _components(shapes: xr.Dataset) -> xr.DataArray:
    return shapes["component"].assign_attrs(nbefore=int(shapes.attrs["nbefore"]))


def _looked_at(events: CheckpointedEvents, p: Kilosort4Parameters) -> CheckpointedEvents | NDArray[Any]:
    """The events of one in ``batch_downsampling`` stretches of 2 s."""
    if p.batch_downsampling == 1:
        return events
    stretch = events.load(("sample_index",))["sample_index"] // round(STRETCH_S * events.sampling_frequency)
    return events.load(rows=np.flatnonzero(stretch % p.batch_downsampling == 0))
