"""First part of the preset ``kilosort4``: select, filter, reference, blank artifacts, whiten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from ...errors import ParameterError
from ...graph.build import to_dask
from ...per_channel import bad_channels_of
from ...preprocess.blank.artifacts import blank_artifacts
from ...preprocess.filter import highpass_filter
from ...preprocess.scale import scale
from ...recording.slicing import sample_slice
from ...recording.stages import recording_plan
from ..steps.filtered_before import filter_unless_filtered
from ..steps.passes import Run
from ..steps.prepare import check_filterable, excerpts_of, in_microvolts, referenced, whitened, without_noisy
from ..steps.prepared import Prepared
from .parameters import Kilosort4Parameters

#: Number of half-second excerpts from which estimates are made, one from each of as many equal parts of the recording.
N_EXCERPTS_MIN, N_EXCERPTS_MAX = 20, 40
#: Kilosort's batch, in seconds: drift is one number per batch, and every `nskip`-th batch gives an excerpt.
BATCH_S = 2.0


def check_kilosort4(recording: xr.DataArray, parameters: Kilosort4Parameters) -> None:
    """Refuse a recording that cannot be sorted with these parameters, before any work is done."""
    check_filterable(recording, lambda traces: high_passed(traces, parameters))


def high_passed(recording: xr.DataArray, p: Kilosort4Parameters) -> xr.DataArray:
    """The traces after the high-pass, which removes the drift of the baseline."""
    return filter_unless_filtered(
        recording, p.band_hz, lambda traces: highpass_filter(traces, freq_min_hz=p.highpass_cutoff, order=3)
    )


def chosen_part(recording: xr.DataArray, p: Kilosort4Parameters) -> xr.DataArray:
    """The range of time that the parameters name, with all channels that they do not name marked bad.

    Raises
    ------
    ParameterError
        If a named channel or shank does not exist, the range is empty, or ``n_chan_bin`` or ``fs`` contradicts the
        file.
    """
    n_channels, n_samples = recording.sizes["channel"], recording.sizes["time"]
    sampling_frequency = float(recording.attrs["sampling_frequency"])
    if p.n_chan_bin is not None and p.n_chan_bin != n_channels:
        raise ParameterError(
            f"n_chan_bin is {p.n_chan_bin} and the recording has {n_channels} channels; leave it out, or open the "
            "file with that number"
        )
    if p.fs is not None and abs(p.fs - sampling_frequency) > 1e-3 * sampling_frequency:
        raise ParameterError(
            f"fs is {p.fs:g} Hz and the recording has {sampling_frequency:g} Hz; leave it out, or correct the "
            "recording's sampling_frequency"
        )
    plan = recording_plan(recording)
    if "batch_size" in p.model_fields_set:
        plan = plan.rechunked(p.batch_size)
    recording = recording.copy(data=to_dask(plan))
    recording = recording.assign_coords(bad=("channel", _bad_or_unnamed(recording, p)))
    duration_s = n_samples / sampling_frequency
    if p.tmin >= duration_s:
        raise ParameterError(f"tmin is {p.tmin:g} s and the recording lasts {duration_s:g} s; give less")
    if p.tmin > 0 or p.tmax < duration_s:  # counted in samples, because gaps in the times are not part of the recording
        first, stop = (round(s * sampling_frequency) for s in (p.tmin, min(p.tmax, duration_s)))
        recording = sample_slice(recording, first, max(stop, first + 1))
    return recording


def prepare_white(recording: xr.DataArray, p: Kilosort4Parameters, run: Run) -> Prepared:
    """Scale, align, high-pass, reference, blank artifacts and whiten, lazily, after computing the few estimates needed.

    The reference comes after the filter, because offsets and slow waves would otherwise decide the median. Each shank
    has its own reference.
    """
    seed = p.cluster_init_seed
    traces = in_microvolts(recording, run, seed=seed)
    if p.invert_sign or p.scale is not None or p.shift is not None:
        gain = (-1.0 if p.invert_sign else 1.0) * (1.0 if p.scale is None else p.scale)
        traces = scale(traces, gain=gain, offset=0.0 if p.shift is None else p.shift)
    filtered = high_passed(traces, p)
    filtered, _ = without_noisy(filtered, run, excerpts=excerpts_of(filtered, seed=seed))
    filtered = referenced(filtered, operator="median" if p.do_CAR else "none")
    if np.isfinite(p.artifact_threshold):
        filtered = blank_artifacts(filtered, threshold=p.artifact_threshold)
    # The clusters of this preset depend on the last digits of the white traces, and rounding them changes which neurons
    # are found: see docs/explanation/sorter_measurements.md.
    return whitened(
        filtered,
        replace(run, white_step=None),
        n_nearest=p.whitening_range,
        seed=seed,
        n_slices=n_excerpts(filtered, p),
    )


def n_excerpts(recording: xr.DataArray, p: Kilosort4Parameters) -> int:
    """Number of excerpts from which estimates are made."""
    duration_s = recording.sizes["time"] / float(recording.attrs["sampling_frequency"])
    return min(max(int(duration_s / (BATCH_S * p.nskip)), N_EXCERPTS_MIN), N_EXCERPTS_MAX)


def _bad_or_unnamed(recording: xr.DataArray, p: Kilosort4Parameters) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Channels that are bad, or on a shank that is not to be sorted."""
    bad = bad_channels_of(recording).copy()
    names = recording.channel.values.astype(str)
    unknown = [str(channel) for channel in p.bad_channels if str(channel) not in names]
    if unknown:
        raise ParameterError(
            f"bad_channels has {', '.join(unknown)}, which do not exist; the channels are {names[0]} to {names[-1]}"
        )
    bad |= np.isin(names, [str(channel) for channel in p.bad_channels])
    if p.shank_idx is None:
        return bad
    if "shank" not in recording.coords:
        raise ParameterError("shank_idx is given, and the recording names no shanks; assign a coordinate shank")
    shanks = recording.shank.values.astype(str)
    unknown = [str(shank) for shank in p.shank_idx if str(shank) not in shanks]
    if unknown or not p.shank_idx:
        raise ParameterError(
            f"shank_idx is {list(p.shank_idx)}, and the recording has shanks {', '.join(sorted(set(shanks)))}"
        )
    return bad | ~np.isin(shanks, [str(shank) for shank in p.shank_idx])
