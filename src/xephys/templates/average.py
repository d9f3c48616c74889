"""Templates: mean waveforms of known spikes, summed in one streamed pass, on a few channels per unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import current_call, operation
from ..errors import ParameterError, RecordingError
from ..features.events import check_channels_exist, spike_records, window_samples
from ..graph.plan import Plan, Stage, runs_on_devices
from ..graph.reduce import tree_sum
from ..per_channel import bad_channels_of, check_these_channels, check_unit, names_of_channels, positions_of
from ..recording.clock import check_same_rate
from ..recording.geometry import channel_groups
from ..recording.stages import recording_plan

#: Maximum number of spikes from which the peak channel of a unit is found.
N_SPIKES_FIRST = 200

#: Maximum lag at which two templates are compared, as a fraction of their length.
LAG_FRACTION = 0.5


@operation
def estimate_templates(
    recording: xr.DataArray,
    spikes: Any,
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    peak_channels: NDArray[np.integer[Any]] | None = None,
    ms_before: float = 0.7,
    ms_after: float = 1.3,
    n_nearest: int = 32,
    n_spikes_max: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    """Average the waveforms of each unit's spikes on the channels around its peak channel. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, in the unit desired for the templates. Channels marked ``bad`` are left
        out of the templates.
    spikes
        ``sample_index`` and ``unit_index`` (0 to n - 1; negative ones are ignored): records, a DataFrame, a Dataset, a
        dict, or a sorting. Samples count from the start of the whole recording, also if ``recording`` is a part of it
        in time; spikes outside the part are ignored.
    labels
        Unit of each spike, replacing ``unit_index``.
    peak_channels
        Channel index of each unit around which its template is kept. If None, the channel that holds most of the unit's
        spikes, if the spikes have a ``channel_index``; otherwise the channel where the mean of some of them is largest,
        which takes another pass over the traces.
    ms_before, ms_after
        Window around the spike.
    n_nearest
        Channels per template.
    n_spikes_max
        Maximum number of spikes averaged per unit: a seeded choice over the whole recording.
    seed
        Seed of that choice.

    Returns
    -------
    Dataset with ``waveform (unit, sample, slot)`` float32, ``channel_index (unit, slot)`` (nearest first, -1 where
    empty) and ``num_averaged (unit)``; attributes ``nbefore`` and ``sampling_frequency``. The coordinate ``channel``
    names the channels that ``channel_index`` counts.

    Raises
    ------
    ParameterError
        If the spikes are not computed, have no units, or are a sorting with another sampling rate.
    RecordingError
        If positions are missing.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = {"sample_index": [1000, 2000, 3000], "unit_index": [0, 1, 0]}
    >>> templates = estimate_templates(recording, spikes, n_nearest=4)
    >>> templates.sizes["unit"], templates.sizes["slot"]
    (2, 4)
    """
    schema.validate_recording(recording)
    check_same_rate(recording, spikes)
    spikes = spike_records(spikes, labels=labels)
    if "channel_index" in (spikes.dtype.names or ()):
        check_channels_exist(recording, spikes["channel_index"])
    if peak_channels is None:
        peak_channels = find_peak_channels(recording, spikes, ms_before=ms_before, ms_after=ms_after, seed=seed)
    check_channels_exist(recording, peak_channels)
    plan = template_plan(
        recording,
        spikes,
        peak_channels=peak_channels,
        ms_before=ms_before,
        ms_after=ms_after,
        n_nearest=n_nearest,
        n_spikes_max=n_spikes_max,
        seed=seed,
    )
    return templates_of_sums(recording, plan, tree_sum(plan))


def template_plan(
    recording: xr.DataArray,
    spikes: NDArray[Any] | Mapping[str, NDArray[Any]],
    *,
    peak_channels: NDArray[np.integer[Any]],
    ms_before: float,
    ms_after: float,
    n_nearest: int,
    n_spikes_max: int,
    seed: int,
) -> Plan:
    """The reduction behind :func:`estimate_templates`, with the same parameters, for callers that store its sums."""
    from ..kernels.templates.average import nearest_channels

    channels = nearest_channels(
        positions_of(recording, why="a template"),
        peak_channels=np.asarray(peak_channels),
        n_channels_max=n_nearest,
        groups=channel_groups(recording),
    )
    return _sum_plan(
        recording, spikes, channels=channels, ms_before=ms_before, ms_after=ms_after, n_spikes_max=n_spikes_max,
        seed=seed,
    )  # fmt: skip


def find_peak_channels(
    recording: xr.DataArray, spikes: NDArray[Any], *, ms_before: float, ms_after: float, seed: int
) -> NDArray[np.int64]:
    """Channel with most of a unit's spikes, or where the mean of some is largest; computes in the second case."""
    n_units = int(spikes["unit_index"].max(initial=-1)) + 1
    known = spikes["unit_index"] >= 0
    if "channel_index" in (spikes.dtype.names or ()):
        return usual_channels(spikes["channel_index"][known], spikes["unit_index"][known], n_units=n_units)
    channels = np.tile(np.arange(recording.sizes["channel"], dtype=np.int32), (n_units, 1))
    plan = _sum_plan(
        recording, spikes, channels=channels, ms_before=ms_before, ms_after=ms_after, n_spikes_max=N_SPIKES_FIRST,
        seed=seed,
    )  # fmt: skip
    waveform = templates_of_sums(recording, plan, tree_sum(plan))["waveform"].values
    return np.asarray(np.ptp(waveform, axis=1).argmax(axis=1), np.int64)


def usual_channels(
    channel_index: NDArray[np.integer[Any]], unit_index: NDArray[np.integer[Any]], *, n_units: int
) -> NDArray[np.int64]:
    """The channel with most spikes of each unit; the first one in a tie.

    Examples
    --------
    >>> usual_channels(np.array([5, 3, 3, 4]), np.array([0, 0, 0, 1]), n_units=2).tolist()
    [3, 4]
    """
    n_channels = int(channel_index.max(initial=0)) + 1
    place = unit_index.astype(np.int64) * n_channels + channel_index
    counts = np.bincount(place, minlength=n_units * n_channels).reshape(n_units, n_channels)
    return np.asarray(counts.argmax(axis=1), np.int64)


def _sum_plan(
    recording: xr.DataArray,
    spikes: NDArray[Any] | Mapping[str, NDArray[Any]],
    *,
    channels: NDArray[np.int32],
    ms_before: float,
    ms_after: float,
    n_spikes_max: int,
    seed: int,
) -> Plan:
    """Sums of some spikes of each unit on its ``channels``."""
    rate = float(recording.attrs["sampling_frequency"])
    nbefore, nafter = window_samples(ms_before, ms_after, rate)
    span = recording_plan(recording)
    first, stop = span.first_sample, span.first_sample + span.n_samples
    inside = (spikes["sample_index"] >= first) & (spikes["sample_index"] < stop)
    # Marked instead of removed, so that the other spikes keep the numbers by which they are chosen.
    units = np.where(inside, spikes["unit_index"].astype(np.int64), -1)
    chosen = choose_spikes(units, n_units=len(channels), n_spikes_max=n_spikes_max, seed=seed)
    samples = spikes["sample_index"][chosen].astype(np.int64)
    order = np.argsort(samples, kind="stable")
    # A reference writes the inverse of what channels share onto a dead channel, artifacts included.
    channels[bad_channels_of(recording)[channels] & (channels >= 0)] = -1
    stage = Stage(
        sum_waveforms,
        dtype=np.dtype("f8"),
        parameters={"nbefore": nbefore, "nafter": nafter},
        arrays={
            "samples": samples[order],
            "units": units[chosen][order],
            "channels": channels,
        },
        before=nbefore,
        after=nafter,
        emits="partials",
        call=current_call() or "estimate_templates()",
    )
    plan = span.then(stage)
    # A tile is summed by the chunk that holds its beginning, so a part that begins inside a tile takes all of it.
    lead = plan.start % plan.tile_samples
    return replace(plan, start=plan.start - lead, chunks=(plan.chunks[0] + lead, *plan.chunks[1:]))


def templates_of_sums(recording: xr.DataArray, plan: Plan, sums: dict[str, Any]) -> xr.Dataset:
    """Means computed from the sums of a :func:`template_plan`."""
    stage = plan.stages[-1]
    channels = stage.arrays["channels"]
    nbefore, length = int(stage.parameters["nbefore"]), int(stage.parameters["nbefore"] + stage.parameters["nafter"])
    n_units = len(channels)
    counts = sums.get("counts", np.zeros(n_units, np.int64))
    totals = sums.get("sums", np.zeros((n_units, length, channels.shape[1])))
    means = (totals / np.maximum(counts, 1)[:, None, None]).astype(np.float32)
    return xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), means),
            "channel_index": (("unit", "slot"), channels),
            "num_averaged": ("unit", counts),
        },
        coords=names_of_channels(recording),
        attrs={
            "nbefore": nbefore,
            "sampling_frequency": plan.sampling_frequency,
            "n_channels": recording.sizes["channel"],
            "units": recording.attrs.get("units", "counts"),
        },
    )


def choose_spikes(unit_index: NDArray[Any], *, n_units: int, n_spikes_max: int, seed: int) -> NDArray[np.int64]:
    """Positions of at most ``n_spikes_max`` spikes of each unit: seeded, without repetition, ascending.

    Examples
    --------
    >>> choose_spikes(np.array([0, 1, 0, -1, 0]), n_units=2, n_spikes_max=2, seed=0).size
    3
    """
    if n_spikes_max < 1:
        raise ParameterError(f"n_spikes_max is {n_spikes_max}; it must be at least 1")
    keys = np.random.default_rng(seed).random(len(unit_index))
    keep = (unit_index >= 0) & (unit_index < n_units)
    counts = np.bincount(unit_index[keep].astype(np.int64), minlength=n_units)
    large = np.append(counts > n_spikes_max, False)  # only their spikes have to be put in order
    rows = np.flatnonzero(large[np.where(keep, unit_index, n_units)])
    order = rows[np.lexsort((keys[rows], unit_index[rows]))]
    units = unit_index[order].astype(np.int64)
    first = np.cumsum(np.bincount(units, minlength=n_units)) - np.bincount(units, minlength=n_units)
    keep[order[np.arange(len(order)) - first[units] >= n_spikes_max]] = False
    return np.flatnonzero(keep).astype(np.int64)


def dense_templates(templates: xr.Dataset) -> xr.DataArray:
    """Templates on all channels, ``(unit, sample, channel)``, zero on channels that a template does not keep.

    Examples
    --------
    >>> templates = xr.Dataset(
    ...     {"waveform": (("unit", "sample", "slot"), [[[1.0]]]), "channel_index": (("unit", "slot"), [[2]])},
    ...     attrs={"n_channels": 3})
    >>> dense_templates(templates).values.tolist()
    [[[0.0, 0.0, 1.0]]]
    """
    from ..kernels.templates.combine import dense_waveforms

    dense = dense_waveforms(
        templates["waveform"].values, templates["channel_index"].values, n_channels=int(templates.attrs["n_channels"])
    )
    names = {"channel": templates.coords["channel"]} if "channel" in templates.coords else None
    return xr.DataArray(dense, names, ("unit", "sample", "channel"), name="templates", attrs=dict(templates.attrs))


def lagged_similarity(templates: xr.Dataset) -> NDArray[np.float32]:
    """Cosine of every pair of templates at its best lag; 0 for pairs without a common channel."""
    from ..kernels.curate.merge import merge_candidates

    waveforms, channels = templates["waveform"].values, templates["channel_index"].values.astype(np.int32)
    table = np.eye(len(waveforms), dtype=np.float32)
    lag = int(LAG_FRACTION * waveforms.shape[1])
    pairs = merge_candidates(waveforms, channels, lag_samples_max=lag, similarity_min=0.0)
    table[pairs["first"], pairs["second"]] = table[pairs["second"], pairs["first"]] = pairs["similarity"]
    return table


@runs_on_devices
def sum_waveforms(traces: NDArray[Any], *, before: int, after: int, start: int, **parameters: Any) -> dict[str, Any]:
    """Partial sums of one tile, by name, for a tree reduction."""
    from ..kernels.templates.average import accumulate_waveforms

    sums, counts = accumulate_waveforms(traces, before=before, after=after, start=start, **parameters)
    return {"sums": sums, "counts": counts}


def check_same_probe(recording: xr.DataArray, templates: xr.Dataset) -> None:
    """Check that templates come from a recording of the same channels, in this order, at this rate and in this unit."""
    missing = [name for name in ("waveform", "channel_index") if name not in templates]
    if missing or "n_channels" not in templates.attrs:
        raise ParameterError(
            f"templates has no {' and no '.join(missing) or 'attribute n_channels'}, so it is not from "
            "estimate_templates: give it the spikes of a sorting, or match the templates of a sorting by "
            "sort(recording, learned=sorting)"
        )
    rate, given = float(recording.attrs["sampling_frequency"]), templates.attrs.get("sampling_frequency")
    if given is not None and abs(rate / float(given) - 1) > schema.RATE_TOLERANCE:
        raise RecordingError(
            f"the templates are sampled at {float(given):g} Hz and the recording at {rate:g} Hz; resample it, or "
            "estimate templates on it"
        )
    n, own = recording.sizes["channel"], int(templates.attrs["n_channels"])
    if n != own:
        raise RecordingError(
            f"the templates are for {own} channels, the recording has {n}: they come from another probe; "
            "estimate templates on this one"
        )
    check_these_channels(recording, templates, what="templates")
    check_unit(recording, templates.attrs.get("units"), what="the templates", made_by="estimate_templates")
