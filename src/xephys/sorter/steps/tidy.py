"""Tidy up: templates before they are matched, units and spikes afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.columns import Records, count_of, iter_blocks
from .assign import Assigned, SpikeColumns, assign_spikes, columns_of_spikes
from .sums import log_of_sums, sums_of_two
from .tails import Weakest, without_neuron


@dataclass(frozen=True)
class MatchableTemplates:
    """The templates that can be matched, their indices among all templates, and the log of what was dropped."""

    templates: xr.Dataset
    index: NDArray[np.int64]
    log: list[dict[str, Any]]


@dataclass(frozen=True)
class Origin:
    """How the spikes of matched templates were assigned to units.

    Attributes
    ----------
    unit_of_template
        Unit of each template; -1 if it has none.
    sample_shift
        Number of samples added to the spikes of each template.
    relative_size
        Size of each template relative to its unit's mean waveform.
    template_of_unit
        The template that represents each unit.
    num_spikes
        Number of spikes that each template matched.
    """

    unit_of_template: NDArray[np.int64]
    sample_shift: NDArray[np.int64]
    relative_size: NDArray[np.float64]
    template_of_unit: NDArray[np.int64]
    num_spikes: NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Columns of the spikes with ``unit_index`` from 0, the white templates of the units, their origin, and the log."""

    spikes: SpikeColumns
    templates: xr.Dataset
    origin: Origin
    log: list[dict[str, Any]]


#: Minimum norm of a matched template, in noise units; below it the matcher cannot tell templates from noise.
NORM_MIN = 6.0
#: Two trains without coincidences between these lags may be one neuron's; at shorter lags the matcher reports one
#: spike.
REFRACTORY_MS = 2.0
DEAD_MS = 0.5
#: Intervals between spikes of a burst.
BURST_REFRACTORY_MS, BURST_MS = 1.5, 20.0
#: Spikes of pieces that take turns, because the tissue moves in between, are hardly ever this close to each other.
TURN_MS = 1000.0
#: A spike has company if a spike of another unit in sight is within this time: their waveforms overlap.
COMPANY_MS = 1.3
#: A unit of which most spikes are within this time of a unit out of its sight is an artifact of the whole probe.
COMMON_MS = 0.5


@dataclass(frozen=True)
class Finish:
    """What is done to units after the last matching.

    Attributes
    ----------
    joins
        Whether units of one neuron are merged.
    repeat_ms
        Of two spikes of a unit that are closer than this, the better match is kept.
    """

    joins: bool = True
    repeat_ms: float = DEAD_MS


USUAL_FINISH = Finish()


def tidy_templates(
    templates: xr.Dataset,
    counts: NDArray[np.floating[Any]],
    *,
    n_spikes_min: int,
    matched: SpikeColumns | None = None,
    n_samples: int = 0,
) -> MatchableTemplates:
    """Leave out templates that are too weak to be matched, or the sum of two units.

    ``counts`` are their numbers of spikes. From the ``matched`` spikes, and the number of samples of the recording,
    rare templates are also recognized as coincidences if their average is blurred.
    """
    norms = np.sqrt((templates["waveform"].values.astype(np.float64) ** 2).sum(axis=(1, 2)))
    # The average of n spikes carries noise of norm sqrt(samples * slots / n), which is not evidence of a unit.
    noise = templates.sizes["sample"] * templates.sizes["slot"] / np.maximum(templates["num_averaged"].values, 1)
    strength = np.sqrt(np.maximum(norms**2 - noise, 0))
    keep = (strength >= NORM_MIN) & (counts >= n_spikes_min)
    sums = sums_of_two(templates, counts, matched=matched, n_samples=n_samples)
    log = [
        {"step": "templates", "unit": int(u), "reason": "too weak to match", "norm": float(strength[u])}
        for u in np.flatnonzero(~keep)
    ]
    log += log_of_sums(sums[keep[sums["unit"]]], step="templates", reason="two units at once")
    keep[sums["unit"]] = False
    kept = np.flatnonzero(keep)
    return MatchableTemplates(templates.isel(unit=kept), kept, log)


def are_above(matches: Records, templates: xr.Dataset, threshold: float) -> NDArray[np.bool_]:
    """Mask of the spikes that reach their template's threshold, which is a multiple of the usual one."""
    thresholds = threshold * templates["relative_threshold"].values
    above = np.empty(count_of(matches), np.bool_)
    for rows, some in iter_blocks(matches, ("unit_index", "gain")):
        above[rows] = some["gain"] >= thresholds[some["unit_index"]] ** 2
    return above


def tidy_units(
    matches: Records,
    templates: xr.Dataset,
    *,
    n_spikes_min: int,
    first_sample: int,
    n_samples: int,
    pieces: NDArray[np.void] | None = None,
    finish: Finish = USUAL_FINISH,
    weakest: Weakest | None = None,
) -> Units:
    """Merge units of one neuron, drop copies, artifacts and small units, and renumber the rest.

    Parameters
    ----------
    matches
        Spikes of the templates in order of sample, on a sample axis that begins with ``first_sample``; in memory or on
        disk.
    templates
        The templates that were matched.
    n_spikes_min
        Minimum number of spikes of a unit.
    first_sample, n_samples
        Range of the recording on that axis.
    pieces
        Records of ``kernels.curate.pieces.PIECE``: pairs of units that are pieces of one unit and will be joined.
    finish
        What is done to the units.
    weakest
        All that a lower threshold matches; if it is given, units that this judges are dropped if their scores are the
        tail of false alarms.
    """
    from ...kernels.curate.pieces import PIECE
    from ...kernels.curate.relative_sizes import relative_sizes
    from ...kernels.lib.records import count_labels

    n_units = templates.sizes["unit"]
    pieces = np.empty(0, PIECE) if pieces is None or not finish.joins else pieces
    spikes = Assigned.of(matches)
    joined = _joined(spikes, templates, pieces, n_samples=n_samples, joins=finish.joins)
    target, shift = joined.target, joined.shift
    norms = np.sqrt((templates["waveform"].values.astype(np.float64) ** 2).sum(axis=(1, 2)))
    num_matched = count_labels(spikes.template, n_labels=n_units)
    artifact = _artifacts(spikes, templates, norms, n_samples=n_samples)
    sums = sums_of_two(templates, num_matched, matched=spikes.columns, n_samples=n_samples)
    sums = sums[target[sums["unit"]] == sums["unit"]]  # a sum that was merged into one of its two units is that unit's
    gone = artifact.copy()
    gone[sums["unit"]] = True
    target = np.where(gone | gone[target], -1, target)  # including everything merged into a dropped unit

    sizes = relative_sizes(norms, target, num_matched)
    assign_spikes(
        spikes,
        matches,
        target=target,
        shift=shift,
        first_sample=first_sample,
        n_samples=n_samples,
        dead_samples=_samples(finish.repeat_ms, templates),
        sums=sums,
    )
    counts = np.zeros(n_units, np.int64)
    np.add.at(counts, target[target >= 0], count_labels(spikes.template, n_labels=n_units)[target >= 0])
    alive = counts >= n_spikes_min
    small = {u: int(counts[u]) for u in np.flatnonzero(~alive & (target == np.arange(n_units))).tolist()}
    tails = {} if weakest is None else without_neuron(weakest, target, alive)
    alive[list(tails)] = False
    number = np.cumsum(alive) - 1
    template_of_unit = np.flatnonzero(alive)
    unit_of_template = np.where((target >= 0) & alive[target], number[target], -1)
    spikes.keep((unit_of_template >= 0)[spikes.template])
    kept = columns_of_spikes(matches, spikes, unit_of_template, sizes)
    origin = Origin(unit_of_template, shift, sizes, template_of_unit, num_matched)
    log = _log(joined, pieces, small, artifact, sums)
    log += [
        {"step": "units", "unit": unit, "reason": "scores of false alarms", "evidence": evidence}
        for unit, evidence in tails.items()
    ]
    return Units(kept, templates.isel(unit=template_of_unit), origin, log)


def _samples(duration_ms: float, templates: xr.Dataset) -> int:
    return round(duration_ms * 1e-3 * float(templates.attrs["sampling_frequency"]))


@dataclass(frozen=True)
class _Joined:
    """The unit that each template joins, the shift of its spikes, and by which evidence."""

    target: NDArray[np.int64]
    shift: NDArray[np.int64]
    decisions: NDArray[np.void]
    late: NDArray[np.void]
    turns: NDArray[np.void]
    accompanied: NDArray[np.void]


def _joined(
    spikes: Assigned, templates: xr.Dataset, pieces: NDArray[np.void], *, n_samples: int, joins: bool
) -> _Joined:
    from ...kernels.curate.accompanied import find_accompanied
    from ...kernels.curate.bursts import find_burst_pieces
    from ...kernels.curate.merge import decide_merges, merge_candidates
    from ...kernels.curate.pieces import join_pieces, joined_trains
    from ...kernels.curate.turns import find_turns
    from ...kernels.metrics.trains import split_trains
    from ...kernels.templates.similarity import energy_of_noise

    waveforms, channels = templates["waveform"].values, templates["channel_index"].values.astype(np.int32)
    noise = energy_of_noise(channels, templates["num_averaged"].values, n_samples=templates.sizes["sample"])
    candidates = merge_candidates(waveforms, channels, noise_energy=noise)
    candidates = candidates if joins else candidates[:0]
    trains = split_trains(spikes.sample_index, spikes.template, n_units=templates.sizes["unit"])
    limits = {
        "duration_samples": n_samples,
        "refractory_samples": _samples(REFRACTORY_MS, templates),
        "dead_samples": _samples(DEAD_MS, templates),
    }
    target, shift, decisions = decide_merges(candidates, trains, **limits)
    joined, moved = join_pieces(target, shift, pieces)
    late = find_burst_pieces(
        candidates,
        waveforms,
        channels,
        trains,
        nbefore=int(templates.attrs["nbefore"]),
        window_samples=_samples(BURST_MS, templates),
        refractory_samples=_samples(BURST_REFRACTORY_MS, templates),
    )
    joined, moved = join_pieces(joined, moved, late)
    turns = find_turns(candidates, trains, joined, moved, window_samples=_samples(TURN_MS, templates), **limits)
    joined, moved = join_pieces(joined, moved, turns)
    # A copy of a unit is always in its company, so only what is left counts.
    left = (joined[candidates["first"]] == candidates["first"]) & (joined[candidates["second"]] == candidates["second"])
    together = joined_trains(trains, joined, moved)
    window_samples = _samples(COMPANY_MS, templates)
    accompanied = find_accompanied(candidates[left], channels, together, window_samples=window_samples, **limits)
    return _Joined(*join_pieces(joined, moved, accompanied), decisions, late, turns, accompanied)


def _artifacts(
    spikes: Assigned, templates: xr.Dataset, norms: NDArray[np.float64], *, n_samples: int
) -> NDArray[np.bool_]:
    """Mask of the templates that fire together with units out of their sight."""
    from ...kernels.curate.common_events import common_events

    return common_events(
        spikes.sample_index,
        spikes.template,
        templates["channel_index"].values,
        norms,
        window_samples=_samples(COMMON_MS, templates),
        n_samples=n_samples,
    )


def _log(
    found: _Joined,
    pieces: NDArray[np.void],
    small: dict[int, int],
    artifact: NDArray[np.bool_],
    sums: NDArray[np.void],
) -> list[dict[str, Any]]:
    """What became of the templates, with the figures of each decision; ``small`` has numbers of spikes by template."""
    joined = (
        (found.decisions[found.decisions["action"] != "keep"], {}),
        (pieces, {"reason": "pieces of a unit that drifts"}),
        (found.late, {"reason": "late spikes of bursts"}),
        (found.turns, {"reason": "alike, and they take turns"}),
        (found.accompanied, {"reason": "hardly ever alone: collisions of the unit that it resembles"}),
    )
    log: list[dict[str, Any]] = [
        {"step": "units", **reason, **{name: row[name].item() for name in rows.dtype.names or ()}}
        for rows, reason in joined
        for row in rows
    ]
    log += [
        {"step": "units", "unit": unit, "reason": "too few spikes", "num_spikes": count}
        for unit, count in small.items()
    ]
    log += [
        {"step": "units", "unit": unit, "reason": "fires with units far away: an artifact"}
        for unit in np.flatnonzero(artifact).tolist()
    ]
    return log + log_of_sums(sums, step="units", reason="coincidences of two units")
