"""Templates and metrics of units, read in one pass, once all spikes of a unit have one alignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...analysis.run import analyze
from ...errors import warn_user
from ...preprocess.filter import bandpass_filter
from ...recording.axes import SegmentAxes
from ...recording.segments import segments_of, tree_of
from ...sorting import build_sorting, unit_ids_of
from ..config.config import SortingPipelineConfig

#: Channels of a unit's template; beyond, a template is zero.
RADIUS_UM = 200.0
#: Intervals that count as violations, and that no sorter can see, for the contamination after Hill.
ISI_MS, CENSORED_MS = 1.5, 0.0
#: The search for a template's extremum ends where it has decayed to this share of it.
DECAYED, HALF_WIDTH = 0.01, 0.75
#: Maximum upper corner of the band-pass, as a fraction of the sampling rate.
CORNER_OF_RATE = 0.49


class UnitTable(NamedTuple):
    """A sorting with one alignment per unit, and what is known of its units.

    Attributes
    ----------
    sorting
        The sorting.
    units
        Dataset with dim ``unit``: metrics, and ``template`` and ``std (unit, sample, slot)`` in µV on the channels
        ``channel_index (unit, slot)``.
    """

    sorting: xr.DataTree
    units: xr.Dataset


def measure_units(
    sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree, config: SortingPipelineConfig
) -> UnitTable:
    """Templates and metrics of all units. Computes.

    Parameters
    ----------
    sorting
        Sorting of the recording.
    recording
        The raw recording or a tree of segments; it is filtered here to ``freq_min`` to ``freq_max``,
        or as far as the rate allows.
    config
        Groups ``recording``, ``waveform`` and ``execution`` (seed) are used.
    """
    band = config.recording
    parts = segments_of(recording)
    highest_hz = _highest_corner_hz(parts, band.freq_max)
    filtered = [bandpass_filter(part, freq_min_hz=band.freq_min, freq_max_hz=highest_hz) for part in parts]
    traces = filtered[0] if len(filtered) == 1 else tree_of(filtered)
    analyzed = _analyzed(sorting, traces, config)
    shifts = extremum_shifts(*_main_templates(analyzed), pos_peak_thresh=config.waveform.pos_peak_thresh)
    if shifts.any():
        del analyzed  # hundreds of megabytes with many units on many channels
        sorting = shift_units(sorting, shifts, SegmentAxes.of(recording))
        analyzed = _analyzed(sorting, traces, config)
    return UnitTable(sorting, _columns(sorting, analyzed, config))


def _highest_corner_hz(parts: Sequence[xr.DataArray], freq_max: float) -> float:
    """The upper corner that the rate of the recording allows; a warning says so if it is lower than wanted."""
    rate = min(float(part.attrs["sampling_frequency"]) for part in parts)
    if freq_max <= CORNER_OF_RATE * rate:
        return freq_max
    highest_hz = CORNER_OF_RATE * rate
    warn_user(
        f"freq_max is {freq_max:g} Hz, above {CORNER_OF_RATE:g} of the rate, {rate:g} Hz; waveforms and metrics are of "
        f"the band up to {highest_hz:g} Hz"
    )
    return highest_hz


def _analyzed(sorting: xr.DataTree, traces: xr.DataArray | xr.DataTree, config: SortingPipelineConfig) -> xr.DataTree:
    window = config.waveform
    return analyze(
        sorting,
        traces,
        ["noise_levels", "templates"],
        parameters={"sparsity": {"radius_um": RADIUS_UM}},
        ms_before=window.ms_before,
        ms_after=window.ms_after,
        n_spikes_max=window.max_waveforms_per_unit,
        seed=config.execution.random_seed,
    )


def _main_templates(analyzed: xr.DataTree) -> tuple[NDArray[np.float32], int]:
    """Each unit's template on its largest channel ``(unit, sample)``, and the sample of the spike."""
    node = analyzed["analysis/templates"].dataset
    average = node["average"].values
    if not len(average):
        return average[:, :, 0] if average.ndim == 3 and average.shape[2] else np.zeros((0, 1), np.float32), 0
    slot = np.abs(average).max(axis=1).argmax(axis=1)
    return np.take_along_axis(average, slot[:, None, None], axis=2)[:, :, 0], int(node.attrs["nbefore"])


def polarity(templates: NDArray[np.float32], *, pos_peak_thresh: float) -> NDArray[np.bool_]:
    """Which templates ``(unit, sample)`` are positive: their maximum exceeds this multiple of their minimum.

    Examples
    --------
    >>> polarity(np.array([[0.0, -5.0, 3.0], [0.0, -1.0, 3.0]]), pos_peak_thresh=2.0).tolist()
    [False, True]
    """
    return templates.max(axis=1, initial=0) >= pos_peak_thresh * np.abs(templates.min(axis=1, initial=0))


def extremum_shifts(templates: NDArray[np.float32], nbefore: int, *, pos_peak_thresh: float) -> NDArray[np.int64]:
    """Samples from the spike to the extremum of each template, within its half width.

    One number a unit: all of its spikes move together, so that no two alignments are mixed in a train.

    Examples
    --------
    >>> extremum_shifts(np.array([[0.0, 0.0, -9.0, -1.0, -1.0]]), 1, pos_peak_thresh=2.0).tolist()
    [1]
    """
    n_units, n_samples = templates.shape
    if not n_units:
        return np.zeros(0, np.int64)
    positive = polarity(templates, pos_peak_thresh=pos_peak_thresh)
    signed = np.where(positive, 1, -1)[:, None] * templates
    large = np.abs(templates) > DECAYED * np.abs(templates).max(axis=1, keepdims=True)
    last = n_samples - 1 - large[:, ::-1].argmax(axis=1)
    reach = np.maximum(1, (HALF_WIDTH * np.abs(last - nbefore)).astype(np.int64))
    place = np.arange(n_samples) - nbefore
    near = np.abs(place)[None, :] <= reach[:, None]
    return np.asarray(place[np.where(near, signed, -np.inf).argmax(axis=1)], np.int64)


def shift_units(sorting: xr.DataTree, shifts: NDArray[np.int64], axes: SegmentAxes) -> xr.DataTree:
    """Move all spikes of each unit by its number of samples, as far as the recording reaches."""
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    index = spikes["unit_index"].values
    segment = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(len(index), np.int64)
    first = np.asarray(axes.first_sample)[segment]
    length = np.asarray(axes.n_samples)[segment]
    samples = np.clip(spikes["sample_index"].values + shifts[index], first, first + length - 1)
    columns = {str(name): values.values for name, values in spikes.data_vars.items() if values.dims == ("spike",)}
    columns.pop("time", None)
    return build_sorting(
        axes,
        spikes={**columns, "sample_index": samples, "segment_index": segment},
        units={str(name): values.values for name, values in units.data_vars.items() if values.dims == ("unit",)},
        unit_ids=unit_ids_of(sorting),
        preset=str(sorting.attrs.get("preset", "")),
    )


def _columns(sorting: xr.DataTree, analyzed: xr.DataTree, config: SortingPipelineConfig) -> xr.Dataset:
    """The table of units from templates, spreads, noise and spike trains."""
    node = analyzed["analysis/templates"].dataset
    channels, average, std = (node[name].values for name in ("channel_index", "average", "std"))
    nbefore, n_units = int(node.attrs["nbefore"]), len(channels)
    rate = float(sorting.attrs["sampling_frequency"])
    empty = channels < 0
    average, std = (np.where(empty[:, None, :], 0, values) for values in (average, std))
    main, _ = _main_templates(analyzed)
    positive = polarity(main, pos_peak_thresh=config.waveform.pos_peak_thresh)
    signed = np.where(positive, 1, -1)[:, None, None] * average
    peaks = signed.argmax(axis=1) if n_units else np.zeros(channels.shape, np.int64)
    heights = np.maximum(np.take_along_axis(signed, peaks[:, None, :], axis=1)[:, 0], 0)
    spreads = _spread_of(std, peaks, rate, config) / np.maximum(heights, 1e-9)
    best = heights.argmax(axis=1) if n_units else np.zeros(0, np.int64)
    rows = np.arange(n_units)
    channel = channels[rows, best]
    noise = analyzed["analysis/noise_levels"]["noise_level"].values[channel]
    n_samples = int(np.sum(sorting.attrs["n_samples"]))
    columns = {
        **_train_columns(sorting, n_units, method=config.curation.isi_violation_method),
        "amplitude": heights[rows, best],
        "snr": heights[rows, best] / np.maximum(noise, 1e-9),
        "std_norm": spreads[rows, best],
        "has_pos_peak": positive,
        "peak_channel": channel,
        "peak_slot": best,
        "peak_index": peaks[rows, best],
    }
    return xr.Dataset(
        {
            **{name: ("unit", values) for name, values in columns.items()},
            "template": (("unit", "sample", "slot"), average.astype(np.float32)),
            "std": (("unit", "sample", "slot"), std.astype(np.float32)),
            "amplitudes": (("unit", "slot"), heights),
            "peak_indices": (("unit", "slot"), peaks),
            "std_norms": (("unit", "slot"), spreads),
            "channel_index": (("unit", "slot"), channels),
        },
        coords={"unit_id": ("unit", unit_ids_of(sorting))},
        attrs={"nbefore": nbefore, "n_samples": n_samples, "sampling_frequency": rate},
    )


def _train_columns(sorting: xr.DataTree, n_units: int, *, method: str) -> dict[str, NDArray[Any]]:
    """Counts, rates, and violations of the refractory period: Hill's estimate, or the share of short intervals."""
    from ...kernels.metrics.trains import split_trains
    from ...kernels.metrics.violations import short_intervals

    rate = float(sorting.attrs["sampling_frequency"])
    spikes = sorting["spikes"].dataset
    n_samples = np.atleast_1d(sorting.attrs["n_samples"])
    segment = spikes["segment_index"].values if "segment_index" in spikes else np.zeros(spikes.sizes["spike"], int)
    trains = split_trains(
        spikes["sample_index"].values + segment * (1 << 40), spikes["unit_index"].values, n_units=n_units
    )
    bounds = np.concatenate([[0], np.cumsum([len(train) for train in trains])]).astype(np.int64)
    joined = np.concatenate([*trains, np.zeros(0, np.int64)]).astype(np.int64)
    counts, duration_s = np.diff(bounds), n_samples.sum() / rate
    short = short_intervals(joined, bounds, ISI_MS * 1e-3 * rate)
    firing = counts / duration_s
    hill = short / np.maximum(2 * counts * (ISI_MS - CENSORED_MS) * 1e-3, 1e-12) / np.maximum(firing, 1e-12)
    percent = short / np.maximum(counts, 1)
    return {"num_spikes": counts, "firing_rate": firing, "isi_violations": hill if method == "hill" else percent}


def _spread_of(
    std: NDArray[np.float32], peaks: NDArray[np.int64], rate: float, config: SortingPipelineConfig
) -> NDArray[np.float64]:
    """Standard deviation at the peak of each channel, or its mean over a window around it."""
    window = config.waveform
    if window.std_at_peak or not std.size:
        return np.take_along_axis(std, peaks[:, None, :], axis=1)[:, 0].astype(np.float64)
    before, after = (
        round(ms * 1e-3 * rate) for ms in (window.std_over_window_ms_before, window.std_over_window_ms_after)
    )
    place = np.arange(std.shape[1])[None, :, None] - peaks[:, None, :]
    inside = (place >= -before) & (place <= after)
    return np.asarray((std * inside).sum(axis=1) / inside.sum(axis=1), np.float64)
