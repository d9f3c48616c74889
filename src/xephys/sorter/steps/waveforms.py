"""Mean waveforms of white traces for matching, and of filtered traces, derived from them, for display."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...graph.local import blocks_of, map_in_threads
from ...preprocess.whiten import whitening_matrix
from ...recording.kept import kept_integers
from ...templates.average import template_plan, templates_of_sums
from .assign import SpikeColumns
from .passes import Run
from .tidy import Origin

#: Number of channels of a filtered waveform.
N_CHANNELS = 64
#: Channels averaged so that filtered waveforms are exact on the nearest 64: with 96 they miss 0.3 µV of 480 at the
#: border, with these 0.005.
N_CHANNELS_TO_COLOR = 128
#: Maximum number of spikes averaged per unit whose templates were made elsewhere.
N_SPIKES_OF_UNIT_MAX = 500


def mean_waveforms(
    traces: xr.DataArray,
    spikes: SpikeColumns,
    run: Run,
    *,
    peak_channels: NDArray[np.integer[Any]],
    ms_before: float,
    ms_after: float,
    seed: int,
    n_spikes_max: int = N_SPIKES_OF_UNIT_MAX,
    n_nearest: int = N_CHANNELS,
) -> xr.Dataset:
    """Mean waveforms of spikes around their units' peak channels: one pass over the recording.

    Parameters
    ----------
    traces
        Filtered or white traces.
    spikes
        Columns ``sample_index`` and ``unit_index``, in time order.
    run
        Keeps the sums.
    peak_channels
        Peak channel of each unit.
    ms_before, ms_after
        Window of a spike.
    seed
        Seed for choosing the spikes that are averaged.
    n_spikes_max
        Maximum number of spikes averaged per unit.
    n_nearest
        Number of channels per waveform; fewer if the traces have fewer.

    Returns
    -------
    Dataset in the form of :func:`xephys.estimate_templates`.
    """
    integers, step = kept_integers(traces)
    plan = template_plan(
        integers,
        spikes,
        peak_channels=peak_channels,
        ms_before=ms_before,
        ms_after=ms_after,
        n_nearest=min(n_nearest, traces.sizes["channel"]),
        n_spikes_max=n_spikes_max,
        seed=seed,
    )
    sums = run.total(plan)
    return templates_of_sums(traces, plan, sums | {"sums": step * sums["sums"]} if sums else sums)


def nearest_slots(means: xr.Dataset, n_nearest: int) -> xr.Dataset:
    """The means on fewer channels."""
    return means.isel(slot=slice(n_nearest))


def colored_means(means: xr.Dataset, whitening: xr.Dataset, *, n_nearest: int) -> xr.Dataset:
    """Means of filtered traces, computed from means of white ones by undoing the whitening, which is linear.

    Examples
    --------
    >>> means = xr.Dataset(
    ...     {"waveform": (("unit", "sample", "slot"), [[[4.0, 3.5]]]), "channel_index": (("unit", "slot"), [[1, 0]]),
    ...      "num_averaged": ("unit", [5])}, attrs={"n_channels": 2, "units": "noise"})
    >>> matrix = xr.Dataset({"matrix": (("channel", "other"), [[1.0, 0.0], [0.5, 2.0]])}, attrs={"units": "1/uV"})
    >>> filtered = colored_means(means, matrix, n_nearest=1)
    >>> filtered["waveform"].values.tolist(), filtered.attrs["units"]
    ([[[2.0]]], 'uV')
    """
    from ...kernels.templates.combine import color_waveforms

    near = nearest_slots(means, n_nearest)
    waveforms, channels = means["waveform"].values, means["channel_index"].values
    color = partial(color_waveforms, matrix=whitening_matrix(whitening), n_nearest=n_nearest)
    blocks = blocks_of(len(waveforms)) or [slice(0)]
    waveform = np.concatenate(map_in_threads(lambda block: color(waveforms[block], channels[block]), blocks))
    units = str(whitening.attrs["units"]).removeprefix("1/")
    return near.assign(waveform=(near["waveform"].dims, waveform)).assign_attrs(units=units)


def unit_means(means: xr.Dataset, origin: Origin) -> xr.Dataset:
    """Mean waveforms of units: those of the matched templates merged into them, weighted by their numbers of spikes.

    Channels are those of the template that represents the unit.
    """
    from ...kernels.templates.combine import merge_waveforms

    representative = means.isel(unit=origin.template_of_unit)
    waveform = merge_waveforms(
        means["waveform"].values,
        means["channel_index"].values,
        n_channels=int(means.attrs["n_channels"]),
        unit_of_template=origin.unit_of_template,
        template_of_unit=origin.template_of_unit,
        sample_shift=origin.sample_shift,
        num_spikes=origin.num_spikes,
    )
    return representative.assign(waveform=(representative["waveform"].dims, waveform))
