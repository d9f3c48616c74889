"""How the preset ``default`` follows drift: spikes are clustered at rest, and templates move. Traces are not changed.

The functions here also accept None as the tissue of a still recording, and then change nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError, RecordingError
from ...graph.checkpoint import CheckpointedEvents, StoredRecords
from ...graph.columns import Records, iter_blocks, load_columns, rows_where
from ...graph.events import SpikeTable
from ...match.leftover import match_and_look
from ...match.moving import match_moving_templates
from ...match.presence import fires_there
from ...match.selected import SelectedRecords
from ...match.templates import match_templates
from ...motion.correct import correct_motion
from ...motion.estimate import estimate_motion
from ...motion.registered import RegisteredEvents, Tissue
from ...motion.stillness import moves
from ...recording.device import on_cpu
from ...templates.moving import (
    displacement_grid,
    moving_means,
    moving_template_plan,
    moving_templates,
    resting_templates,
    unit_features,
)
from ..steps.passes import Run
from ..steps.prepare import whitened as whiten_prepared
from ..steps.prepared import Prepared
from ..steps.tidy import DEAD_MS, REFRACTORY_MS, MatchableTemplates
from .parameters import DefaultParameters

logger = logging.getLogger(__name__)


def follows_drift(p: DefaultParameters) -> bool:
    """Whether motion is estimated."""
    return p.drift != "off"


def find_motion(white: xr.DataArray, peaks: CheckpointedEvents, run: Run) -> xr.Dataset | None:
    """The motion that localized peaks show; None if the probe or the recording is too short to tell."""
    try:
        return run.once(estimate_motion, white, peaks)
    except (RecordingError, ParameterError) as reason:
        logger.info("drift is not followed: %s", reason)
        return None


def moving_tissue(white: xr.DataArray, motion: xr.Dataset | None) -> Tissue | None:
    """The motion of a recording, if it is large enough to be followed."""
    return Tissue.of(white, motion) if motion is not None and moves(motion) else None


def with_moved_traces(prepared: Prepared, motion: xr.Dataset, p: DefaultParameters, run: Run) -> Prepared:
    """The alternative: traces interpolated to where the tissue rests, and whitened again."""
    moved = correct_motion(on_cpu(prepared.filtered), motion=motion)
    return replace(
        whiten_prepared(moved, run, n_nearest=p.whitening_n_nearest, seed=p.seed),
        plain_noise_levels=prepared.plain_noise_levels,
    )


def peaks_at_rest(peaks: CheckpointedEvents, tissue: Tissue | None) -> StoredRecords:
    """Peaks as they would be seen if the tissue had not moved."""
    return peaks if tissue is None else RegisteredEvents(peaks, tissue)


def noise_at_rest(noise: float, tissue: Tissue | None, *, n_nearest: int) -> float:
    """Noise of the projections of `peaks_at_rest`, in which interpolation between contacts has averaged some of it."""
    return noise if tissue is None else noise * tissue.noise_kept(n_nearest=n_nearest)


def where_units_fire(
    spikes: CheckpointedEvents, templates: xr.Dataset, tissue: Tissue | None, *, match_threshold: float
) -> StoredRecords:
    """Matched spikes without those at displacements where their unit does not fire; peaks of no unit stay."""
    if tissue is None:
        return spikes
    kept = fires_there(
        spikes,
        tissue=tissue,
        n_units=templates.sizes["unit"],
        match_threshold=match_threshold,
        noise_gain=templates.attrs["noise_gain"],
    )
    return SelectedRecords(spikes, rows_where(kept))


def spikes_at_rest(
    spikes: StoredRecords, tissue: Tissue | None, *, templates: xr.Dataset, components: xr.DataArray
) -> StoredRecords:
    """Matched spikes as they would be seen if the tissue had not moved, with the help of their templates."""
    if tissue is None:
        return spikes
    return RegisteredEvents(spikes, tissue, unit_features(templates, components=components))


def means_by_displacement(
    traces: xr.DataArray,
    spikes: NDArray[Any],
    run: Run,
    *,
    tissue: Tissue,
    peak_channels: NDArray[np.integer[Any]],
    ms_before: float,
    ms_after: float,
    seed: int,
    n_nearest: int,
) -> xr.Dataset:
    """Mean waveforms of units at each displacement: one pass over the recording."""
    grid = displacement_grid(tissue.motion["displacement_um"].values)
    plan = moving_template_plan(
        traces,
        spikes,
        tissue=tissue,
        displacement_um=grid,
        peak_channels=peak_channels,
        ms_before=ms_before,
        ms_after=ms_after,
        n_nearest=n_nearest,
        seed=seed,
    )
    return moving_means(traces, plan, run.total(plan), displacement_um=grid)


def templates_of(means: xr.Dataset, tissue: Tissue | None) -> xr.Dataset:
    """The means themselves, or templates at every displacement."""
    return means if tissue is None else moving_templates(means, positions_um=tissue.apart_um)


def mean_at_rest(means: xr.Dataset, tissue: Tissue | None) -> xr.Dataset:
    """One mean waveform per unit: if there are several, that at displacement zero."""
    if tissue is None:
        return means
    rest = moving_templates(means, positions_um=tissue.apart_um, displacement_um=np.zeros(1))
    return rest.isel(displacement=0, drop=True).assign(num_averaged=means["num_averaged"].sum("displacement"))


def at_rest(templates: xr.Dataset) -> xr.Dataset:
    """One template per unit: if there are several, that at displacement zero."""
    return resting_templates(templates) if "displacement" in templates.dims else templates


def matchable_at_every_displacement(matchable: MatchableTemplates, templates: xr.Dataset) -> xr.Dataset:
    """The templates that can be matched, with their attributes, at every displacement."""
    rest = matchable.templates
    if "displacement" not in templates.dims:
        return rest
    more = {"unexplained": rest["unexplained"]} if "unexplained" in rest else {}
    return templates.isel(unit=matchable.index).assign(more).assign_attrs(rest.attrs)


def pieces_of_units(
    matches: Records, templates: xr.Dataset, tissue: Tissue | None, *, duration_samples: int
) -> NDArray[np.void] | None:
    """Units that take turns over displacement and meet in one waveform; None if nothing moves."""
    if tissue is None:
        return None
    from ...kernels.curate.pieces import find_pieces
    from ...kernels.metrics.trains import split_trains

    grid, rate = templates["displacement"].values, float(templates.attrs["sampling_frequency"])
    step = grid[1] - grid[0] if len(grid) > 1 else 1.0
    counts = np.zeros((templates.sizes["unit"], len(grid)), np.int64)
    for _, some in iter_blocks(matches, ("sample_index", "channel_index", "unit_index")):
        moved = tissue.of_samples(some["sample_index"], some["channel_index"])
        place = np.clip(np.rint((moved - grid[0]) / step).astype(np.int64), 0, len(grid) - 1)
        np.add.at(counts, (some["unit_index"], place), 1)
    return find_pieces(
        templates["waveform"].values,
        templates["channel_index"].values.astype(np.int32),
        counts,
        split_trains(*load_columns(matches, sample_index=np.int64, unit_index=np.int32), n_units=len(counts)),
        displacement_um=grid,
        n_channels=int(templates.attrs["n_channels"]),
        refractory_samples=round(REFRACTORY_MS * 1e-3 * rate),
        dead_samples=round(DEAD_MS * 1e-3 * rate),
        duration_samples=duration_samples,
    )


def match(white: xr.DataArray, templates: xr.Dataset, tissue: Tissue | None, **settings: Any) -> SpikeTable:
    """Spikes of resting or moving templates; with ``peaks``, also the peaks in the residual."""
    if tissue is not None:
        return match_moving_templates(white, templates=templates, tissue=tissue, **settings)
    return (match_and_look if "peaks" in settings else match_templates)(white, templates=templates, **settings)
