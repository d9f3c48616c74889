"""Match spikes near silent channels with templates as these spikes appear there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.settle import take_records
from ...graph.columns import Records
from ...graph.events import SpikeTable
from ...localize.peaks import localize_peaks
from ..steps.live import near_silence
from ..steps.passes import Run
from ..steps.tidy import are_above
from ..steps.waveforms import mean_waveforms
from .parameters import DefaultParameters

#: Number of channels of a template, and maximum number of spikes averaged for it.
N_NEAREST = 64
N_SPIKES_MAX = 1000
#: What is needed of a spike after it was matched.
KEPT_FIELDS = ("sample_index", "channel_index", "unit_index", "amplitude", "gain", "x", "y")


def match_near_silence(
    matches: Records,
    templates: xr.Dataset,
    silences: NDArray[Any] | None,
    white: xr.DataArray,
    p: DefaultParameters,
    run: Run,
    *,
    match: Callable[[xr.Dataset], SpikeTable],
    n_nearest: int,
    guard_ms: float,
) -> Records:
    """The matches, with those near silent channels found again.

    What is filled in for a silent channel is not the waveform of the neuron next to it, so that its spikes may fit the
    template of another unit better than its own. The mean of the spikes that were matched there is a second template of
    a unit; where nothing is silent, the matches stay as they are.

    Parameters
    ----------
    matches
        Spikes of the templates that reach their thresholds, in order of sample.
    templates
        Those with which they were matched, with ``relative_threshold``.
    silences
        From :func:`xephys.sorter.steps.live.silent_stretches`.
    white, p, run
        Of the sort.
    match
        Spikes of any templates at the lowest threshold.
    n_nearest, guard_ms
        As for :func:`xephys.sorter.steps.live.live_records`.
    """
    around: dict[str, Any] = {"n_nearest": n_nearest, "guard_ms": guard_ms}
    silent, n_units = near_silence(matches, silences, white, **around), templates.sizes["unit"]
    if not silent.any():
        return matches
    found = take_records(matches, KEPT_FIELDS)
    seen = np.flatnonzero(np.bincount(found["unit_index"][silent], minlength=n_units) >= p.n_spikes_min)
    if not seen.size:
        return matches
    means = mean_waveforms(
        white,
        found[silent],
        run,
        peak_channels=templates["channel_index"].values[:, 0],
        ms_before=p.ms_before,
        ms_after=p.ms_after,
        seed=p.seed,
        n_spikes_max=N_SPIKES_MAX,
        n_nearest=N_NEAREST,
    )
    source = np.concatenate([np.arange(n_units), seen])
    second = {
        name: (templates[name].dims, np.concatenate([templates[name].values, means[name].values[seen]]))
        for name in ("waveform", "channel_index")
    }
    both = templates.isel(unit=source).assign(second)
    again = run.collect("match near silence", localize_peaks(white, match(both))).load(KEPT_FIELDS)
    again["unit_index"] = source[again["unit_index"]]
    again = again[are_above(again, templates, p.match_threshold)]
    together = np.concatenate([found[~silent], again[near_silence(again, silences, white, **around)]])
    return together[np.argsort(together["sample_index"], kind="stable")]
