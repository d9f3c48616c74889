"""Units of the preset ``kilosort4``: from the clusters of matched spikes to a sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...metrics.table import compute_columns
from ...per_channel import bad_channels_of, positions_of
from ...preprocess.whiten import whitening_matrix
from ...recording.stages import recording_plan
from ...templates.average import dense_templates, lagged_similarity
from ..steps.assemble import appearance_of, assemble
from ..steps.judge import unit_facts
from ..steps.passes import NoUnits, Run
from ..steps.prepared import Prepared
from ..steps.tidy import COMMON_MS
from ..steps.waveforms import mean_waveforms
from .parameters import Kilosort4Parameters
from .templates import DUPLICATE_SIMILARITY, feature_channels, mean_templates, template_set

#: Units with a smaller similarity are never merged.
MERGE_SIMILARITY = 0.5
#: Clusters of one shape are pieces of a neuron if they take turns this clearly, where tissue moves.
TURN_TAKING_MIN = 0.4
#: Minimum number of spikes of a unit.
N_SPIKES_MIN = 20
#: A unit is good if the probability of a dip as deep as its own by chance is below this.
GOOD_CHANCE = 0.2
SPIKE = np.dtype(
    [
        ("sample_index", "<i8"),
        ("unit_index", "<i8"),
        ("segment_index", "<i8"),
        ("amplitude", "<f8"),
        ("x", "<f8"),
        ("y", "<f8"),
    ]
)


@dataclass(frozen=True)
class RefractoryUnits:
    """Units and their spikes.

    Attributes
    ----------
    spikes
        Records of ``SPIKE``, in time order.
    templates
        White templates, one per unit.
    similarity
        Cosine of every pair of templates.
    detection_template
        The learned template that found each spike.
    feature_norm
        Amplitude of each spike in white traces.
    projection
        ``(spike, slot, component)`` on the unit's ``feature_channel``.
    feature_channel
        ``(unit, slot)``.
    kept
        Which of all matched spikes, in time order, are not duplicates.
    ratio
        Central rate of each unit's auto-correlogram, relative to its shoulders.
    good
        Whether each unit has a refractory period.
    log
        Records of what was merged and dropped.
    """

    spikes: NDArray[Any]
    templates: xr.Dataset
    similarity: NDArray[np.float32]
    detection_template: NDArray[np.int32]
    feature_norm: NDArray[np.float32]
    projection: NDArray[np.float32]
    feature_channel: NDArray[np.int32]
    kept: NDArray[np.bool_]
    ratio: NDArray[np.float64]
    good: NDArray[np.bool_]
    log: list[dict[str, Any]]


def merged_units(
    recording: xr.DataArray,
    spikes: NDArray[Any],
    labels: NDArray[np.int32],
    p: Kilosort4Parameters,
    *,
    shapes: xr.Dataset,
    moved: bool = False,
    log: Sequence[dict[str, Any]] = (),
) -> RefractoryUnits:
    """Merge clusters that are one neuron by shape and trains, drop duplicates and tiny units, and describe the rest.

    In traces that were ``moved``, clusters of one shape that take turns are one neuron too.
    """
    from ...kernels.curate.common_events import common_events
    from ...kernels.curate.merge import merge_candidates
    from ...kernels.curate.merge_refractory import merge_refractory
    from ...kernels.curate.repeats import drop_repeats
    from ...kernels.metrics.trains import split_trains

    rate, plan = float(recording.attrs["sampling_frequency"]), recording_plan(recording)
    first = plan.first_sample
    waveforms, channels, counts = mean_templates(recording, spikes, labels, shapes)
    candidates = merge_candidates(
        waveforms, channels, lag_samples_max=shapes.sizes["sample"] // 2, similarity_min=MERGE_SIMILARITY
    )
    target, shift, decisions = merge_refractory(
        candidates,
        split_trains(spikes["sample_index"], labels, n_units=len(waveforms)),
        bin_samples=_bin_samples(rate),
        same_shape=DUPLICATE_SIMILARITY,
        acg_threshold=p.acg_threshold,
        ccg_threshold=p.ccg_threshold,
        turn_taking_min=TURN_TAKING_MIN if moved else float("inf"),
    )
    table = np.zeros(len(spikes), [("sample_index", "<i8"), ("unit_index", "<i8"), ("gain", "<f8"), ("row", "<i8")])
    table["sample_index"] = np.clip(spikes["sample_index"] + shift[labels], first, first + plan.n_samples - 1)
    table["unit_index"], table["gain"], table["row"] = target[labels], spikes["gain"], np.arange(len(spikes))
    single = drop_repeats(table, dead_samples=int(p.duplicate_spike_ms * 1e-3 * rate))
    sizes = np.bincount(single["unit_index"], minlength=len(waveforms))
    everywhere = common_events(
        single["sample_index"],
        single["unit_index"],
        template_set(recording, waveforms, channels, counts, nbefore=0)["channel_index"].values,
        np.sqrt((waveforms.astype(np.float64) ** 2).sum(axis=(1, 2))),
        window_samples=round(COMMON_MS * 1e-3 * rate),
        n_samples=plan.n_samples,
    )
    alive = (sizes >= N_SPIKES_MIN) & ~everywhere
    rows = [*log, *_log_rows(decisions, target, sizes, everywhere)]
    if not alive.any():
        raise NoUnits(rows)
    single = single[alive[single["unit_index"]]]
    single["unit_index"] = (np.cumsum(alive) - 1)[single["unit_index"]]
    kept = np.zeros(len(spikes), bool)
    kept[single["row"]] = True  # the spikes of the sorting: neither duplicates nor of units that were dropped
    aligned = shift[labels] == 0
    return _describe(recording, spikes, single, p, shapes=shapes, kept=kept, aligned=aligned, log=rows)


def _describe(
    recording: xr.DataArray,
    spikes: NDArray[Any],
    single: NDArray[Any],
    p: Kilosort4Parameters,
    *,
    shapes: xr.Dataset,
    kept: NDArray[np.bool_],
    aligned: NDArray[np.bool_],
    log: list[dict[str, Any]],
) -> RefractoryUnits:
    """Positions, amplitudes, templates and refractoriness of the units; ``row`` holds the rows of their spikes in
    ``single``.

    Templates are means over the ``aligned`` spikes only: spikes that a merge shifted in time no longer match their
    features and would blur the means.
    """
    from ...kernels.metrics.spike_places import features_on, place_spikes
    from ...kernels.metrics.trains import refractory_ratios, unit_medians

    rows, units = single["row"], single["unit_index"]
    labels = np.full(len(spikes), -1, np.int32)
    some = np.isin(units, units[aligned[rows]])  # a unit without aligned spikes uses all of its spikes
    labels[rows] = np.where(aligned[rows] | ~some, units, -1)
    waveforms, channels, counts = mean_templates(recording, spikes, labels, shapes)
    n_units = len(waveforms)
    templates = template_set(recording, waveforms, channels, counts, nbefore=int(shapes.attrs["nbefore"]))
    positions = positions_of(recording, why="the positions of spikes")
    neighbors = feature_channels(recording, spikes.dtype["projection"].shape[0])
    projection, peak_channel = spikes["projection"][rows], spikes["channel_index"][rows]
    centers, norms = place_spikes(
        projection,
        peak_channel,
        neighbors,
        positions=positions,
        n_nearest=p.nearest_chans,
        limit_um=p.position_limit,
        good=~bad_channels_of(recording),
    )
    typical = unit_medians(norms, units, n_units=n_units)
    out = np.zeros(len(rows), SPIKE)
    out["sample_index"], out["unit_index"] = single["sample_index"], units
    out["amplitude"] = norms / np.maximum(typical[units], 1e-12) if n_units else 0.0
    out["x"], out["y"] = centers[:, 0], centers[:, 1]
    wanted = feature_channels(recording, p.nearest_chans)[templates["channel_index"].values[:n_units, 0]]
    bin_samples = _bin_samples(float(recording.attrs["sampling_frequency"]))
    ratio, good = refractory_ratios(
        out["sample_index"],
        units,
        n_units=n_units,
        bin_samples=bin_samples,
        ratio_max=p.acg_threshold,
        chance_max=GOOD_CHANCE,
    )
    return RefractoryUnits(
        spikes=out,
        templates=templates,
        similarity=lagged_similarity(templates),
        detection_template=spikes["unit_index"][rows].astype(np.int32),
        feature_norm=norms,
        projection=features_on(projection, peak_channel, units, neighbors, wanted),
        feature_channel=wanted,
        kept=kept,
        ratio=ratio,
        good=good,
        log=log,
    )


def _bin_samples(rate: float) -> int:
    """Number of samples in a bin of 1 ms."""
    return max(1, round(1e-3 * rate))


def assemble_kilosort4(
    recording: xr.DataArray,
    prepared: Prepared,
    units: RefractoryUnits,
    p: Kilosort4Parameters,
    run: Run,
    *,
    shapes: xr.Dataset,
    motion: xr.Dataset | None = None,
) -> xr.DataTree:
    """Build the sorting, with the group ``/kilosort4``."""
    rate = float(recording.attrs["sampling_frequency"])
    ms = 1e3 / rate
    means = mean_waveforms(
        prepared.filtered,
        units.spikes,
        run,
        peak_channels=units.templates["channel_index"].values[:, 0],
        ms_before=p.nbefore * ms,
        ms_after=(p.nt - p.nbefore) * ms,
        seed=p.cluster_init_seed,
    )
    seen = appearance_of(means, prepared)
    duration_s = prepared.filtered.sizes["time"] / rate / p.batch_downsampling
    quality = compute_columns(unit_facts(recording, units.spikes, seen), ("num_spikes", "amplitude", "snr"))
    quality |= {
        "label": np.where(units.good, "good", "mua"),
        "firing_rate": quality["num_spikes"] / duration_s,
        "contamination": units.ratio,
    }
    tree = assemble(
        recording,
        units.spikes,
        seen,
        quality,
        preset=run.preset,
        parameters=p,
        log=units.log,
        motion=motion,
    )
    tree["kilosort4"] = xr.DataTree(_kilosort4_group(prepared, units, shapes))
    return tree


def _kilosort4_group(prepared: Prepared, units: RefractoryUnits, shapes: xr.Dataset) -> xr.Dataset:
    return xr.Dataset(
        {
            "whitening": (("channel", "channel_out"), whitening_matrix(prepared.whitening)),
            "shape": shapes["shape"],
            "component": shapes["component"],
            "template": (("unit", "sample", "channel"), dense_templates(units.templates).values),
            "similarity": (("unit", "other"), units.similarity),
            "feature_channel": (("unit", "slot"), units.feature_channel),
            "projection": (("spike", "slot", "component"), units.projection),
            "detection_template": ("spike", units.detection_template),
            "feature_norm": ("spike", units.feature_norm),
            "kept": ("found", units.kept),
        },
        attrs={"nbefore": int(shapes.attrs["nbefore"])},
    )


def _log_rows(
    decisions: NDArray[Any], target: NDArray[np.int32], sizes: NDArray[np.int64], everywhere: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    names = decisions.dtype.names or ()
    log = [{"step": "merge", **{n: row[n].item() for n in names}} for row in decisions if row["merged"]]
    for unit in np.flatnonzero(target == np.arange(len(target))):
        if everywhere[unit]:
            log.append({"step": "units", "unit": int(unit), "reason": "fires with units far away: an artifact"})
        elif sizes[unit] < N_SPIKES_MIN:
            log.append({"step": "units", "unit": int(unit), "reason": "too few spikes", "num_spikes": int(sizes[unit])})
    return log
