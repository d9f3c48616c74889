"""Mean waveforms; those of white traces, for matching, also give those of filtered traces, for people."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...preprocess.whiten import whitening_matrix
from ...templates.average import template_plan, templates_of_sums
from .passes import Run
from .tidy import Origin

#: Channels of a waveform of filtered traces.
N_CHANNELS = 64
#: Channels averaged so that filtered waveforms on the nearest 64 miss nothing: with 96 they miss 0.3 µV of 480 at the
#: border, with these 0.005.
N_CHANNELS_TO_COLOR = 128
#: Most spikes averaged for a waveform of a unit whose templates were made elsewhere.
N_SPIKES_OF_UNIT_MAX = 500


def mean_waveforms(
    traces: xr.DataArray,
    spikes: NDArray[Any],
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
        Filtered or white.
    spikes
        Records with ``sample_index`` and ``unit_index``, in time order.
    run
        Keeps the sums.
    peak_channels
        Of each unit.
    ms_before, ms_after
        Window of a spike.
    seed
        Of the choice of the spikes that are averaged.
    n_spikes_max
        Most spikes of a unit that are averaged.
    n_nearest
        Channels of a waveform; fewer where the traces have fewer.

    Returns
    -------
    As :func:`xephys.estimate_templates` makes them.
    """
    plan = template_plan(
        traces,
        spikes,
        peak_channels=peak_channels,
        ms_before=ms_before,
        ms_after=ms_after,
        n_nearest=min(n_nearest, traces.sizes["channel"]),
        n_spikes_max=n_spikes_max,
        seed=seed,
    )
    return templates_of_sums(traces, plan, run.total(plan))


def nearest_slots(means: xr.Dataset, n_nearest: int) -> xr.Dataset:
    """The same on fewer channels."""
    return means.isel(slot=slice(n_nearest))


def colored_means(means: xr.Dataset, whitening: xr.Dataset, *, n_nearest: int) -> xr.Dataset:
    """Means of filtered traces from means of white ones: whitening is linear, so it can be undone after the mean.

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
    waveform = color_waveforms(
        means["waveform"].values, means["channel_index"].values, whitening_matrix(whitening), n_nearest=n_nearest
    )
    units = str(whitening.attrs["units"]).removeprefix("1/")
    return near.assign(waveform=(near["waveform"].dims, waveform)).assign_attrs(units=units)


def unit_means(means: xr.Dataset, origin: Origin) -> xr.Dataset:
    """Mean waveforms of units from those of the matched templates merged into them, weighted by their spikes.

    Channels are those of the template that stands for the unit.
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
