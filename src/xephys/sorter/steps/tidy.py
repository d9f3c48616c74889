"""Tidying up: templates before they are matched, units and spikes after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..default.parameters import DefaultParameters


@dataclass(frozen=True)
class Tidied:
    """Templates worth matching, which of all these are, and what was dropped."""

    templates: xr.Dataset
    kept: NDArray[np.int64]
    log: list[dict[str, Any]]


@dataclass(frozen=True)
class Units:
    """Final spikes, ``unit_index`` renumbered from 0, the templates of the units, and what was dropped.

    ``unit_of_template`` (-1 for none), ``sample_shift`` and ``relative_size`` (of the template in that of the unit's
    mean waveform) say how the spikes of each matched template became those of a unit; ``template_of_unit`` is the one
    that a unit's template is.
    """

    spikes: NDArray[Any]
    templates: xr.Dataset
    log: list[dict[str, Any]]
    unit_of_template: NDArray[np.int64]
    sample_shift: NDArray[np.int64]
    relative_size: NDArray[np.float64]
    template_of_unit: NDArray[np.int64]


#: Templates are matched if their norm, in noise units, reaches this: below it the matcher cannot tell them from noise.
NORM_MIN = 6.0
#: Two trains that never meet between these lags may be one neuron's; nearer, the matcher reports only one of them.
REFRACTORY_MS = 2.0
DEAD_MS = 0.5
#: A unit that fires within this of a unit that it cannot see, more often than not, is an artefact of the whole probe.
COMMON_MS = 0.5
COMMON_FRACTION = 0.5
#: A unit smaller than this beside the one it fires with is what a large spike leaves beyond its template's channels.
ECHO_FRACTION = 0.5


def tidy_templates(templates: xr.Dataset, counts: NDArray[np.floating[Any]], p: DefaultParameters) -> Tidied:
    """Leave out templates that are too weak to be matched, or two units at once. ``counts`` are their spikes."""
    norms = np.sqrt((templates["waveform"].values.astype(np.float64) ** 2).sum(axis=(1, 2)))
    # An average of n spikes carries noise of norm sqrt(samples * slots / n), which is no sign of a unit.
    noise = templates.sizes["sample"] * templates.sizes["slot"] / np.maximum(templates["num_averaged"].values, 1)
    strength = np.sqrt(np.maximum(norms**2 - noise, 0))
    keep = (strength >= NORM_MIN) & (counts >= p.n_spikes_min)
    sums = _composites(templates, counts)
    log = [
        {"step": "templates", "unit": int(u), "reason": "too weak to match", "norm": float(strength[u])}
        for u in np.flatnonzero(~keep)
    ]
    log += [
        {"step": "templates", "reason": "two units at once", **{n: row[n].item() for n in sums.dtype.names or ()}}
        for row in sums
        if keep[row["unit"]]
    ]
    keep[sums["unit"]] = False
    kept = np.flatnonzero(keep)
    return Tidied(templates.isel(unit=kept), kept, log)


def _composites(templates: xr.Dataset, counts: NDArray[np.floating[Any]]) -> NDArray[np.void]:
    """Templates that are the sum of two others, which matching can tell apart by itself."""
    from ...kernels.templates.composites import find_composites
    from ...match.settings import match_model

    model = match_model(templates, steps_per_sample=0)
    averaged = np.maximum(templates["num_averaged"].values, 1)
    used = (model["channels"] >= 0).sum(axis=1)
    names = ("energies", "pair_starts", "pair_units", "pair_overlaps")
    return find_composites(
        counts=counts,
        noise_energies=templates.sizes["sample"] * used / averaged,
        **{name: model[name] for name in names},  # type: ignore[literal-required]
    )


def tidy_units(
    matches: NDArray[Any], tidied: Tidied, p: DefaultParameters, *, first_sample: int, n_samples: int
) -> Units:
    """Merge units of one neuron, drop copies, artefacts and units with too few spikes, and number the rest anew."""
    from ...kernels.curate.merge import decide_merges, merge_candidates

    n_units = tidied.templates.sizes["unit"]
    rate = float(tidied.templates.attrs["sampling_frequency"])
    candidates = merge_candidates(
        tidied.templates["waveform"].values, tidied.templates["channel_index"].values.astype(np.int32)
    )
    trains = [np.sort(matches["sample_index"][matches["unit_index"] == u]) for u in range(n_units)]
    target, shift, decisions = decide_merges(
        candidates,
        trains,
        duration_samples=n_samples,
        refractory_samples=round(REFRACTORY_MS * 1e-3 * rate),
        dead_samples=round(DEAD_MS * 1e-3 * rate),
    )
    norms = np.sqrt((tidied.templates["waveform"].values.astype(np.float64) ** 2).sum(axis=(1, 2)))
    artefact = common_events(
        matches["sample_index"],
        matches["unit_index"],
        tidied.templates["channel_index"].values,
        norms,
        window_samples=round(COMMON_MS * 1e-3 * rate),
        n_samples=n_samples,
    )
    target = np.where(artefact | artefact[target], -1, target)  # with all that was merged into it
    spikes = matches[target[matches["unit_index"]] >= 0]
    moved, last = spikes["sample_index"] + shift[spikes["unit_index"]], first_sample + n_samples - 1
    spikes["sample_index"] = np.clip(moved, first_sample, last)
    sizes = relative_sizes(norms, target, np.bincount(matches["unit_index"], minlength=n_units))
    spikes["amplitude"] *= sizes[spikes["unit_index"]]
    spikes["unit_index"] = target[spikes["unit_index"]]
    spikes = drop_repeats(spikes, dead_samples=round(DEAD_MS * 1e-3 * rate))
    counts = np.bincount(spikes["unit_index"], minlength=n_units)
    alive = counts >= p.n_spikes_min
    names = decisions.dtype.names or ()
    log = [{"step": "units", **{n: row[n].item() for n in names}} for row in decisions if row["action"] != "keep"]
    log += [
        {"step": "units", "unit": int(u), "reason": "too few spikes", "num_spikes": int(counts[u])}
        for u in np.flatnonzero(~alive & (target == np.arange(n_units)))
    ]
    log += [
        {"step": "units", "unit": int(u), "reason": "fires with units far away: an artefact"}
        for u in np.flatnonzero(artefact)
    ]
    number = np.cumsum(alive) - 1
    kept = spikes[alive[spikes["unit_index"]]]
    kept["unit_index"] = number[kept["unit_index"]]
    unit_of_template, own = np.where((target >= 0) & alive[target], number[target], -1), np.flatnonzero(alive)
    return Units(kept, tidied.templates.isel(unit=own), log, unit_of_template, shift, sizes, own)


def relative_sizes(
    norms: NDArray[np.float64], target: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Size of each template in that of its unit, the mean over the spikes of all templates that are one with it.

    Examples
    --------
    >>> relative_sizes(np.array([10.0, 20.0, 7.0]), np.array([0, 0, 2]), np.array([300, 100, 50])).tolist()
    [0.8, 1.6, 1.0]
    """
    sizes = np.ones(len(norms))
    for unit in np.flatnonzero(np.bincount(target[target >= 0], minlength=len(norms)) > 1):
        members = np.flatnonzero(target == unit)
        weights = np.maximum(counts[members], 1)
        sizes[members] = norms[members] * weights.sum() / (norms[members] @ weights)
    return sizes


def common_events(
    samples: NDArray[np.int64],
    units: NDArray[np.int64],
    channels: NDArray[np.integer[Any]],
    norms: NDArray[np.floating[Any]],
    *,
    window_samples: int,
    n_samples: int,
) -> NDArray[np.bool_]:
    """Units most of whose spikes, beyond chance, come with those of one unit on another part of the probe.

    No two neurons do that; a stimulus or a movement that reaches every channel does, and makes a unit in each place. A
    very large spike does it too, with what is left of it far away: then only the echo goes.

    Parameters
    ----------
    samples, units
        Of all spikes, in order of sample.
    channels
        Channels of each template, its peak channel first, shape ``(unit, slot)``: two units are apart if neither has
        the other's peak channel among them.
    norms
        Of each template.
    window_samples
        Largest lag of two spikes that come together.
    n_samples
        Length of the recording.

    Examples
    --------
    >>> samples, units = np.array([10, 12, 500, 503, 900]), np.array([0, 1, 0, 1, 2])
    >>> places, window = np.array([[0], [9], [5]]), {"window_samples": 5, "n_samples": 1000}
    >>> common_events(samples, units, places, np.array([9.0, 8.0, 7.0]), **window).tolist()
    [True, True, False]
    >>> common_events(samples, units, places, np.array([90.0, 8.0, 7.0]), **window).tolist()
    [False, True, False]
    """
    n_units = len(channels)
    pairs = np.zeros((n_units, n_units), np.int64)
    for step in range(1, len(samples)):
        near = np.flatnonzero(samples[step:] - samples[:-step] <= window_samples)
        if not near.size:
            break
        np.add.at(pairs, (units[near], units[near + step]), 1)
    counts = np.bincount(units, minlength=n_units)
    chance = counts[:, None] * counts[None, :] * (2 * window_samples + 1) / max(n_samples, 1)
    together = pairs + pairs.T - chance > COMMON_FRACTION * np.maximum(counts, 1)[:, None]
    artefact = np.zeros(n_units, bool)
    for unit, other in np.argwhere(together):
        apart = channels[unit, 0] not in channels[other] and channels[other, 0] not in channels[unit]
        artefact[unit] |= apart and norms[other] > ECHO_FRACTION * norms[unit]
    return artefact


def drop_repeats(spikes: NDArray[Any], *, dead_samples: int) -> NDArray[Any]:
    """Of two spikes of one unit nearer than ``dead_samples``, which one neuron cannot fire, only the better match.

    Returns the spikes in order of sample, then unit.

    Examples
    --------
    >>> fields = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8")]
    >>> drop_repeats(np.array([(10, 0, 5.0), (12, 0, 9.0), (13, 1, 1.0)], fields), dead_samples=5).tolist()
    [(12, 0, 9.0), (13, 1, 1.0)]
    """
    spikes = spikes[np.lexsort((spikes["sample_index"], spikes["unit_index"]))]
    while True:
        unit, sample, gain = spikes["unit_index"], spikes["sample_index"], spikes["gain"]
        close = np.flatnonzero((unit[1:] == unit[:-1]) & (sample[1:] - sample[:-1] < dead_samples))
        if not close.size:
            return spikes[np.lexsort((spikes["unit_index"], spikes["sample_index"]))]
        weaker = np.where(gain[close] < gain[close + 1], close, close + 1)
        spikes = np.delete(spikes, weaker)
