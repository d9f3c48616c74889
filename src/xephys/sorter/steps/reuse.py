"""Sort with what an earlier sort learned: prepare the recording alike, match its templates, keep its units."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ... import schema
from ...calls import operation
from ...errors import ParameterError
from ...graph.columns import Records
from ...localize.peaks import localize_peaks
from ...match.selected import select_records
from ...match.templates import match_templates
from ...match.thresholds import LOWEST
from ...recording.clock import first_sample
from ...recording.kept import on_their_device
from ...sorting import validate_sorting
from ..default.parameters import DefaultParameters
from ..default.prepare import prepare_default
from ..presets import PRESETS, presets_that, read_parameters
from .assemble import appearance_of, assemble, with_earlier_where
from .assign import Assigned, assign_spikes, columns_of_spikes
from .judge import judge_units
from .learned import Learned, check_fits, read_learned
from .live import silent_stretches, without_echoes
from .passes import Run
from .prepare import flag_constant
from .prepared import Prepared
from .tidy import DEAD_MS, Origin, Units, are_above
from .waveforms import mean_waveforms

#: Parameters that act after learning. All others are fixed by what has been learned.
LATE_PARAMETERS = (
    "match_threshold", "amplitude_min", "amplitude_max", "n_spikes_min", "contamination_max", "good_snr_min", "seed"
)  # fmt: skip


@operation
def whiten_like(recording: xr.DataArray, *, learned: xr.DataTree) -> xr.DataArray:
    """The white traces that a sort matched, or would match with what it learned, lazily.

    Compare them with their residual, ``match_residual(white, templates=sorting["learned/templates"].to_dataset())``.

    Parameters
    ----------
    recording
        Raw traces: those that were sorted, or others of the same probe. Channels marked ``bad`` are left out.
    learned
        A sorting, from :func:`xephys.sort`.

    Returns
    -------
    Filtered, referenced and whitened traces, float32, in units of the noise.

    Raises
    ------
    ParameterError
        If the sorting has nothing learned.
    RecordingError
        If it learned on another probe, at another rate or in another unit.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    >>> white = whiten_like(recording, learned=xephys.sort(recording))
    >>> white.attrs["units"]
    'noise'
    """
    schema.validate_recording(recording)
    parameters, known = parameters_with(learned, {}), read_learned(learned)
    check_fits(known, recording)
    return prepare_default(recording, parameters, Run(), learned=known).whitened


def sort_learned(
    recording: xr.DataArray, parameters: DefaultParameters, run: Run, *, learned: xr.DataTree
) -> xr.DataTree:
    """Sort one segment with the templates, whitening and noise levels of an earlier sorting."""
    p, known = parameters, read_learned(learned)
    check_fits(known, recording)
    alive = flag_constant(recording, run, seed=p.seed)
    prepared = prepare_default(alive, p, run, learned=known)
    matches = _match_known(recording, prepared, p, run, known)
    units = follow_units(matches, known, first_sample=first_sample(recording), n_samples=recording.sizes["time"])
    means = _means_like(learned, prepared, units, run, seed=p.seed)
    few = np.bincount(units.spikes["unit_index"], minlength=units.templates.sizes["unit"]) < p.n_spikes_min
    seen = with_earlier_where(few, appearance_of(means, prepared), learned, prepared)
    log = [{"step": "learned", "reason": "units of an earlier sorting", "fingerprint": learned.attrs["fingerprint"]}]
    return assemble(
        recording,
        units.spikes,
        seen,
        judge_units(recording, units.spikes, seen, **p.good_limits),
        preset=run.preset,
        parameters=p,
        log=log,
        unit_ids=learned["units"]["unit_id"].values,
        learned=known.nodes,
    )


def _match_known(
    recording: xr.DataArray, prepared: Prepared, p: DefaultParameters, run: Run, known: Learned
) -> Records:
    """Matches of the learned templates above the threshold, without echoes beside silent channels."""
    white = on_their_device(prepared.whitened)
    spikes = match_templates(
        white,
        templates=known.templates_without(prepared.filtered.coords["bad"].values),
        match_threshold=LOWEST * p.match_threshold,
        noise_gain=known.noise_gain,
        amplitude_min=p.amplitude_min,
        amplitude_max=p.amplitude_max,
        freq_max_hz=p.freq_max_hz,
    )
    found = run.collect("match", localize_peaks(white, spikes))
    above = select_records(found, are_above(found, known.templates, p.match_threshold))
    return without_echoes(
        above,
        silent_stretches(recording, prepared.filtered, run),
        prepared.whitened,
        n_units=known.templates.sizes["unit"],
        n_nearest=p.n_nearest,
        guard_ms=p.ms_before + p.ms_after,
    )


def _means_like(learned: xr.DataTree, prepared: Prepared, units: Units, run: Run, *, seed: int) -> xr.Dataset:
    """Mean waveforms of the spikes, in the window of those of the earlier sorting."""
    # Sample counts of the earlier waveforms, since at a slightly different rate a window in ms may round differently.
    ms = 1e3 / float(prepared.filtered.attrs["sampling_frequency"])
    waveforms = learned["templates/templates"]
    nbefore, n_samples = int(waveforms.attrs["nbefore"]), waveforms.sizes["sample"]
    return mean_waveforms(
        prepared.filtered,
        units.spikes,
        run,
        peak_channels=units.templates["channel_index"].values[:, 0],
        ms_before=nbefore * ms,
        ms_after=(n_samples - nbefore) * ms,
        seed=seed,
    )


def follow_units(matches: Records, learned: Learned, *, first_sample: int, n_samples: int) -> Units:
    """The spikes of the units that the learned templates belong to; nothing is merged, dropped or renumbered."""
    from ...kernels.lib.records import count_labels

    spikes, number = Assigned.of(matches), learned.templates["unit_index"].values
    num_matched = count_labels(spikes.template, n_labels=len(number))
    shift, sizes = learned.templates["sample_shift"].values, learned.templates["relative_size"].values
    own = np.flatnonzero(learned.templates["represents"].values)
    rate = float(learned.templates.attrs["sampling_frequency"])
    assign_spikes(
        spikes,
        matches,
        target=number,
        shift=shift,
        first_sample=first_sample,
        n_samples=n_samples,
        dead_samples=round(DEAD_MS * 1e-3 * rate),
    )
    origin = Origin(number, shift, sizes, own, num_matched)
    return Units(columns_of_spikes(matches, spikes, number, sizes), learned.unit_templates, origin, [])


def parameters_with(
    learned: xr.DataTree, given: Mapping[str, Any], *, preset: str | None = None, beside: Iterable[str] = ()
) -> DefaultParameters:
    """The parameters for sorting with an earlier sorting: its own, except for late parameters that are given.

    ``beside`` are the caller's own parameters, as in :func:`read_parameters`.

    Raises
    ------
    ParameterError
        If a given parameter would change what has been learned, or the earlier preset does not support reuse.
    """
    tree = validate_sorting(learned)
    own = str(tree.attrs.get("preset", ""))
    if own not in PRESETS or not PRESETS[own].reusable:
        reusable = " or ".join(repr(name) for name in presets_that(lambda row: row.reusable))
        raise ParameterError(f"what preset {own!r} learned cannot be reused; give a sorting of preset {reusable}")
    if preset not in (None, own):
        raise ParameterError(f"preset is {preset!r} and the earlier sorting is of preset {own!r}; leave preset out")
    earlier = json.loads(tree.attrs["parameters"])
    chosen: DefaultParameters = read_parameters(own, {**earlier, **given}, beside=beside)
    for name in given:
        value = getattr(chosen, name)
        if name not in LATE_PARAMETERS and value != earlier.get(name):
            raise ParameterError(
                f"{name} is {value!r} and the earlier sorting learned with {earlier.get(name)!r}; leave it out, or "
                f"sort without learned. With it, these can be changed: {', '.join(LATE_PARAMETERS)}"
            )
    return chosen
