"""Templates of a drifting recording: one for each displacement of the tissue, learned from the spikes seen there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..graph.plan import Plan, runs_on_devices
from ..motion.registered import Tissue, UnitFeatures
from ..per_channel import names_of_channels
from .average import template_plan

#: Spacing of the displacements, which grows if the tissue moves so far that there would be more than the second number.
STEP_UM = 2.0
N_DISPLACEMENTS_MAX = 32
#: Maximum number of spikes averaged per unit and displacement.
N_SPIKES_MAX = 300


def displacement_grid(displacement_um: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Evenly spaced displacements, including 0, that cover the range of the given ones.

    Examples
    --------
    >>> displacement_grid(np.array([-3.0, 4.5])).tolist()
    [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0]
    >>> len(displacement_grid(np.array([0.0, 300.0])))
    30
    """
    low, high = min(float(np.min(displacement_um)), 0.0), max(float(np.max(displacement_um)), 0.0)
    step = max(STEP_UM, (high - low) / (N_DISPLACEMENTS_MAX - 3))
    return np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step


def moving_template_plan(
    recording: xr.DataArray,
    spikes: NDArray[Any],
    *,
    tissue: Tissue,
    displacement_um: NDArray[np.float64],
    peak_channels: NDArray[np.integer[Any]],
    ms_before: float,
    ms_after: float,
    n_nearest: int,
    n_spikes_max: int = N_SPIKES_MAX,
    seed: int,
) -> Plan:
    """The reduction that sums waveforms by unit and displacement.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    spikes
        Records with ``sample_index`` and ``unit_index``.
    tissue
        Motion of the recording.
    displacement_um
        From :func:`displacement_grid`; a spike counts for the nearest displacement.
    peak_channels
        Channel of each unit at displacement zero, around which its template is kept at every displacement.
    ms_before, ms_after, n_nearest, seed
        As for :func:`xephys.estimate_templates`.
    n_spikes_max
        Maximum number of spikes averaged per unit and displacement.

    Returns
    -------
    A plan whose sums :func:`moving_means` converts to means.
    """
    n_places = len(displacement_um)
    units = spikes["unit_index"].astype(np.int64)
    moved = tissue.of_samples(spikes["sample_index"], np.asarray(peak_channels)[units])
    step = displacement_um[1] - displacement_um[0] if n_places > 1 else 1.0
    place = np.clip(np.rint((moved - displacement_um[0]) / step).astype(np.int64), 0, n_places - 1)
    placed = np.zeros(len(spikes), [("sample_index", "<i8"), ("unit_index", "<i8")])
    placed["sample_index"] = spikes["sample_index"]
    placed["unit_index"] = units * n_places + place
    plan = template_plan(
        recording,
        placed,
        peak_channels=np.repeat(peak_channels, n_places),
        ms_before=ms_before,
        ms_after=ms_after,
        n_nearest=min(n_nearest, recording.sizes["channel"]),
        n_spikes_max=n_spikes_max,
        seed=seed,
    )
    stage = replace(plan.stages[-1], func=sum_present_waveforms)
    return replace(plan, stages=(*plan.stages[:-1], stage))


@runs_on_devices
def sum_present_waveforms(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    start: int,
    samples: NDArray[np.int64],
    units: NDArray[np.integer[Any]],
    channels: NDArray[np.int32],
    **window: int,
) -> dict[str, Any]:
    """Partial sums of one tile for the combinations with spikes in it, with their numbers: most have none."""
    from ..kernels.templates.average import accumulate_waveforms

    stop = start + len(traces) - before - after
    first, last = np.searchsorted(samples, [start, stop])
    present, own = np.unique(units[first:last], return_inverse=True)
    if not len(present):
        return {}
    sums, counts = accumulate_waveforms(
        traces,
        before=before,
        after=after,
        start=start,
        samples=np.ascontiguousarray(samples[first:last]),
        units=own.reshape(-1).astype(np.int64),
        channels=np.ascontiguousarray(channels[present]),
        **window,
    )
    named = {f"sum {row}": total for row, total in zip(present, sums, strict=True)}
    return named | {f"count {row}": count for row, count in zip(present, counts, strict=True)}


def moving_means(
    recording: xr.DataArray, plan: Plan, sums: dict[str, Any], *, displacement_um: NDArray[np.float64]
) -> xr.Dataset:
    """Means computed from the sums of a :func:`moving_template_plan`.

    Returns
    -------
    Dataset with ``waveform (unit, displacement, sample, slot)``, ``num_averaged (unit, displacement)`` and
    ``channel_index (unit, slot)``.
    """
    stage, n_places = plan.stages[-1], len(displacement_um)
    channels = stage.arrays["channels"][::n_places]
    nbefore = int(stage.parameters["nbefore"])
    length = nbefore + int(stage.parameters["nafter"])
    waveform = np.zeros((len(channels) * n_places, length, channels.shape[1]), np.float32)
    counts = np.zeros(len(waveform), np.int64)
    for name in sums:
        kind, row = name.split(" ")
        if kind == "sum":
            counts[int(row)] = int(sums[f"count {row}"])
            waveform[int(row)] = sums[name] / max(counts[int(row)], 1)
    shape = (len(channels), n_places)
    return xr.Dataset(
        {
            "waveform": (("unit", "displacement", "sample", "slot"), waveform.reshape(*shape, *waveform.shape[1:])),
            "num_averaged": (("unit", "displacement"), counts.reshape(shape)),
            "channel_index": (("unit", "slot"), channels),
        },
        coords={"displacement": displacement_um, **names_of_channels(recording)},
        attrs={
            "nbefore": nbefore,
            "sampling_frequency": plan.sampling_frequency,
            "n_channels": recording.sizes["channel"],
            "units": recording.attrs.get("units", "counts"),
        },
    )


def moving_templates(
    means: xr.Dataset, *, positions_um: NDArray[np.float64], displacement_um: NDArray[np.float64] | None = None
) -> xr.Dataset:
    """Templates at every displacement; where few spikes were seen, means at nearby displacements contribute.

    Parameters
    ----------
    means
        From :func:`moving_means`.
    positions_um
        ``(channel, 2)``.
    displacement_um
        Displacements of the templates; those of the means if None.

    Returns
    -------
    Dataset like ``means``; ``num_averaged`` is the effective number of spikes behind each template.
    """
    from ..kernels.templates.moving import moving_templates as kernel

    seen = means["displacement"].values
    wanted = seen if displacement_um is None else displacement_um
    waveform, counts = kernel(
        means["waveform"].values,
        means["num_averaged"].values,
        displacement_um=seen,
        channels=means["channel_index"].values,
        positions_um=positions_um,
        wanted_um=wanted,
    )
    variables = {
        "waveform": (means["waveform"].dims, waveform),
        "num_averaged": (means["num_averaged"].dims, counts),
        "channel_index": means["channel_index"],
    }
    return xr.Dataset(variables, coords={"displacement": wanted}, attrs=means.attrs)


def resting_templates(templates: xr.Dataset) -> xr.Dataset:
    """The templates at displacement zero, in the form of :func:`xephys.estimate_templates`.

    ``num_averaged`` counts the spikes at the displacement with most of them, because noise is smoothed over
    displacements.
    """
    rest = templates.sel(displacement=0.0, method="nearest", drop=True)
    return rest.assign(num_averaged=templates["num_averaged"].max("displacement"))


def unit_features(templates: xr.Dataset, *, components: xr.DataArray) -> UnitFeatures:
    """Projections of moving templates on temporal components, for registering spikes with their templates."""
    basis = np.asarray(components.values, np.float64)
    features = np.einsum("ct,udtk->udkc", basis, templates["waveform"].values, optimize=True).astype(np.float32)
    rest = resting_templates(templates)
    strongest = np.ptp(rest["waveform"].values, axis=1)
    strongest = np.where(rest["channel_index"].values >= 0, strongest, -1.0).argmax(axis=1)
    peak = rest["channel_index"].values[np.arange(len(strongest)), strongest]
    return UnitFeatures(
        features=features,
        channels=np.ascontiguousarray(templates["channel_index"].values, np.int32),
        resting_channels=peak.astype(np.int64),
        displacement_um=templates["displacement"].values,
    )
