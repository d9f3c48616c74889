"""The first part of every sort: from raw samples to white traces, with the estimates made on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...errors import ParameterError, RecordingError, SilentRecordingError, warn_user
from ...graph.events import compute_here
from ...graph.results import identity_of
from ...per_channel import bad_channels_of, place_single_channel, positions_of
from ...preprocess.bad_channels import find_constant_channels
from ...preprocess.blank.common_artifacts import blank_common_artifacts
from ...preprocess.blank.noisy_stretches import blank_noisy_stretches
from ...preprocess.noise import estimate_noise_levels
from ...preprocess.phase_shift import phase_shift
from ...preprocess.reference import common_reference
from ...preprocess.scale import to_uv
from ...preprocess.silence import fill_silence
from ...preprocess.whiten import estimate_whitening, whiten, whiten_excerpts
from ...recording.device import on_cpu, to_device
from ...recording.excerpts import Excerpts, sample_traces, share_of_silence
from ...recording.geometry import shank_numbers
from ...recording.stages import recording_plan
from .learned import Learned
from .passes import Run
from .prepared import DrawnExcerpts, Prepared

BandPass: TypeAlias = Callable[[xr.DataArray], xr.DataArray]

#: Below this rate, the trough of a spike, 0.2 to 0.5 ms, falls between two samples.
RATE_MIN_HZ = 4000.0
#: With fewer channels, spikes move the median. On a tetrode the median contains the spikes, and on sixteen channels two
#: coincident spikes differ from the sum of the two alone, so that they become a unit of their own.
REFERENCE_CHANNELS_MIN = 24
#: Maximum number of channels of a shank on which the spikes of two units move the median.
QUIET_CHANNELS_MAX = 64
#: With fewer channels, half of them may see a large spike, which then looks like an artifact ...
ARTIFACT_CHANNELS_MIN = 32
#: ... so an artifact must there exceed any spike: this number of noise levels, and a millivolt (or 1000 counts). Within
#: these milliseconds after it, the filter's ringing falls below the detection threshold.
HUGE_THRESHOLD, HUGE_NOISE_MIN, HUGE_GUARD_MS = 100.0, 10.0, 3.0
#: A recording shorter than this, or with lower noise levels (in µV or counts), does not tell how noisy it usually is.
MOVEMENT_DURATION_MIN_S, MOVEMENT_NOISE_MIN = 1.0, 1.0
#: A channel whose noise exceeds the median over channels by this factor is broken, if there are enough to compare.
NOISY_FACTOR = 4.0
NOISY_CHANNELS_MIN = 8
#: A channel below this share of the median sees no tissue: an amplifier alone is noisier than that. Where its counts
#: hardly change, the steps between two of them exceed any number of its noise levels.
LIFELESS_FACTOR = 0.05
#: Number of half-second excerpts for noise levels and whitening: each has 15 000 samples per channel.
N_SLICES = 10


def prepare(
    recording: xr.DataArray,
    run: Run,
    *,
    band_pass: BandPass,
    reference: str,
    whitening_n_nearest: int,
    seed: int,
    learned: Learned | None = None,
    quiet_reference: bool = True,
) -> Prepared:
    """Scale, align, filter, reference and whiten, lazily, after computing the few estimates needed.

    Parameters
    ----------
    recording
        Raw traces.
    run
        Keeps the estimates.
    band_pass
        Filter of the preset.
    reference
        Operator of the common reference over each shank, or ``"none"``.
    whitening_n_nearest
        Number of channels in a whitening neighborhood.
    seed
        Seed of all random choices.
    learned
        Estimates of an earlier sorting to use instead of making new ones, so that nothing is computed. Channels that
        have been marked bad since are left out of its whitening.
    quiet_reference
        Whether channels with a spike are left out of the reference of a shank of few channels.

    Raises
    ------
    RecordingError
        If positions are missing or no channel is usable.
    SilentRecordingError
        If every channel is constant.
    """
    filtered = band_pass(in_microvolts(recording, run, seed=seed, learned=learned))
    plain = excerpts_of(filtered, seed=seed)
    if learned is None:
        filtered, plain_levels = without_noisy(filtered, run, excerpts=plain)
    else:
        learned.check_units(filtered)
        plain_levels = learned.plain_noise_levels

    def finished(traces: xr.DataArray) -> xr.DataArray:
        levels = plain_levels if quiet_reference else None
        return referenced(without_artifacts(traces, plain_levels), operator=reference, noise_levels=levels)

    marked, filtered = filtered, finished(filtered)
    # From the filtered excerpts, because filtering again would take as long as all other estimates together.
    excerpts = DrawnExcerpts(
        lambda: transformed_excerpts(plain, marked, finished), token=f"{identity_of(filtered)}-{plain.token}"
    )
    prepared = whitened(filtered, run, n_nearest=whitening_n_nearest, seed=seed, learned=learned, excerpts=excerpts)
    return replace(prepared, plain_noise_levels=plain_levels)


def excerpts_of(recording: xr.DataArray, *, seed: int, n_slices: int = N_SLICES) -> DrawnExcerpts:
    """Excerpts for noise levels and whitening, drawn when they are first used."""
    token = f"{identity_of(recording)}-{seed}-{n_slices}"
    return DrawnExcerpts(lambda: sample_traces(recording, n_slices=n_slices, seed=seed), token=token)


def transformed_excerpts(
    excerpts: DrawnExcerpts, recording: xr.DataArray, transform: Callable[[xr.DataArray], xr.DataArray]
) -> Excerpts:
    """Excerpts of a recording after further transforms of its traces, which see nothing beyond an excerpt's ends."""
    whole = recording.isel(time=slice(0, max(len(part) for part in excerpts)))
    names = (f"sample_traces-{excerpts.token}-{k}" for k in range(len(excerpts)))
    # With names of their own, or all samples would be hashed for them, by one thread. Coordinates are not made lazy:
    # the transforms look at them.
    lazy = (xr.Variable(whole.dims, part).chunk(name=name) for part, name in zip(excerpts, names, strict=True))
    parts = (whole.isel(time=slice(0, len(part.data))).copy(data=part.data) for part in lazy)
    return [part.data for part in compute_here(*map(transform, parts))]


def check_filterable(recording: xr.DataArray, band_pass: BandPass) -> None:
    """Refuse a recording without positions, or too short for the preset's filter, before any work is done.

    Raises
    ------
    ParameterError
        If a corner of the filter does not suit the sampling rate.
    RecordingError
        If several channels have no positions, the recording is shorter than the filter's halo, or it is sampled too
        slowly for spikes.
    """
    schema.validate_recording(recording)
    positions_of(recording, why="sorting")
    try:
        band_pass(recording)
    except ParameterError:
        raise
    except ValueError as error:
        raise RecordingError(str(error)) from error
    rate = float(recording.attrs["sampling_frequency"])
    if rate < RATE_MIN_HZ:
        raise RecordingError(
            f"the recording is sampled at {rate:g} Hz, and spikes, which last less than 1 ms, cannot be found below "
            f"{RATE_MIN_HZ:g} Hz: it holds field potentials, or was resampled; give the stream of the spikes (see "
            "stream_id), or correct sampling_frequency"
        )


def in_microvolts(recording: xr.DataArray, run: Run, *, seed: int, learned: Learned | None = None) -> xr.DataArray:
    """Mark constant channels bad, scale counts if gains are known, and align the sampling times of the channels."""
    recording = place_single_channel(recording)
    positions_of(recording, why="spike sorting")
    recording = flag_constant(recording, run, seed=seed) if learned is None else learned.flag_bad(recording)
    if run.computes and run.once(share_of_silence, on_cpu(recording), seed=seed):
        recording = to_device(fill_silence(on_cpu(recording)), recording_plan(recording).device or "cpu")
    scaled = to_uv(recording) if "gain_to_uv" in recording.coords else recording
    if "inter_sample_shift" in recording.coords and np.ptp(recording.inter_sample_shift.values) > 0:
        scaled = phase_shift(scaled)
    return scaled


def without_artifacts(filtered: xr.DataArray, noise_levels: xr.DataArray) -> xr.DataArray:
    """Silence what no neuron can produce across the whole probe, and movements where no reference removes them."""
    if (~bad_channels_of(filtered)).sum() >= ARTIFACT_CHANNELS_MIN:
        return blank_common_artifacts(filtered, noise_levels=noise_levels)
    filtered = blank_common_artifacts(
        filtered,
        noise_levels=noise_levels.clip(min=HUGE_NOISE_MIN),
        threshold=HUGE_THRESHOLD,
        guard_ms=HUGE_GUARD_MS,
    )
    too_short = filtered.sizes["time"] < MOVEMENT_DURATION_MIN_S * float(filtered.attrs["sampling_frequency"])
    if too_short or channels_of_largest_shank(filtered) >= REFERENCE_CHANNELS_MIN:
        return filtered
    return blank_noisy_stretches(filtered, noise_levels=noise_levels.clip(min=MOVEMENT_NOISE_MIN))


def channels_of_largest_shank(recording: xr.DataArray) -> int:
    """Number of good channels on the shank with the most."""
    return int(np.bincount(shank_numbers(recording)[~bad_channels_of(recording)]).max())


def referenced(filtered: xr.DataArray, *, operator: str, noise_levels: xr.DataArray | None = None) -> xr.DataArray:
    """Subtract what a shank's channels share, if there are enough of them (``"none"``: subtract nothing).

    On shanks of few channels, those with a spike do not contribute, as their ``noise_levels`` tell.
    """
    if operator == "none" or channels_of_largest_shank(filtered) < REFERENCE_CHANNELS_MIN:
        return filtered
    groups = shank_numbers(filtered)
    shanks = groups if groups.any() else None
    short = channels_of_largest_shank(filtered) <= QUIET_CHANNELS_MAX
    return common_reference(
        filtered,
        operator=operator,
        groups=shanks,
        n_channels_min=REFERENCE_CHANNELS_MIN,
        noise_levels=noise_levels if short else None,
    )


def whitened(
    filtered: xr.DataArray,
    run: Run,
    *,
    n_nearest: int,
    seed: int,
    learned: Learned | None = None,
    n_slices: int = N_SLICES,
    excerpts: DrawnExcerpts | None = None,
) -> Prepared:
    """White traces, and noise levels before and after whitening, estimated on excerpts: ``n_slices`` if not given."""
    excerpts = excerpts_of(filtered, seed=seed, n_slices=n_slices) if excerpts is None else excerpts
    if learned is None:
        levels, whitening, white_levels = run.once(_estimates, filtered, excerpts=excerpts, n_nearest=n_nearest)
    else:
        levels, white_levels = learned.noise_levels, learned.white_noise_levels
        whitening = learned.whitening_without(bad_channels_of(filtered))
    white_excerpts = DrawnExcerpts(lambda: _thinned_white(excerpts, whitening), token=f"{excerpts.token}-{n_nearest}")
    if excerpts.is_drawn:
        white_excerpts[:]  # drawn now, so that the other excerpts can be freed
    white = run.keep(whiten(filtered, whitening=whitening))
    return Prepared(filtered, white, levels, white_levels, white_excerpts, whitening)


def _estimates(filtered: xr.DataArray, *, excerpts: Excerpts, n_nearest: int) -> tuple[Any, xr.Dataset, Any]:
    """Noise levels, the whitening, and the noise levels after whitening."""
    levels = estimate_noise_levels(filtered, excerpts=excerpts)
    whitening = estimate_whitening(filtered, n_nearest=n_nearest, excerpts=excerpts)
    white_excerpts = whiten_excerpts(excerpts, whitening=whitening)
    return levels, whitening, estimate_noise_levels(whiten(filtered, whitening=whitening), excerpts=white_excerpts)


def _thinned_white(excerpts: Excerpts, whitening: xr.Dataset) -> Excerpts:
    """Five to seven of the excerpts, whitened."""
    return whiten_excerpts(excerpts[:: max(1, round(len(excerpts) / 6))], whitening=whitening)


def flag_constant(recording: xr.DataArray, run: Run, *, seed: int) -> xr.DataArray:
    """Mark constant channels as bad.

    Raises
    ------
    RecordingError
        If every channel is marked bad.
    SilentRecordingError
        If all other channels are constant.
    """
    marked = bad_channels_of(recording)
    if marked.all():
        raise RecordingError("every channel is marked bad, so there is nothing to sort; look at the coordinate bad")
    constant = run.once(find_constant_channels, on_cpu(recording), seed=seed) & ~marked
    if (marked | constant).all():
        raise SilentRecordingError(
            "every channel is constant or marked bad, so there is nothing to sort; look at the recording, "
            "its channel count and its sample type"
        )
    return _mark_bad(recording, constant, "constant")


def without_noisy(filtered: xr.DataArray, run: Run, *, excerpts: DrawnExcerpts) -> tuple[xr.DataArray, xr.DataArray]:
    """Mark channels that are far noisier than the others, or lifeless, and return the noise levels of all channels.

    Otherwise the threshold crossings of such a channel would be clustered into units.
    """
    run.warm_up(recording_plan(filtered))
    levels = run.once(_plain_noise_levels, filtered, excerpts=excerpts)
    good = ~bad_channels_of(filtered)
    if good.sum() < NOISY_CHANNELS_MIN:
        return filtered, levels
    usual = np.median(levels.values[good])
    filtered = _mark_bad(filtered, good & (levels.values > NOISY_FACTOR * usual), "noisy")
    return _mark_bad(filtered, good & (levels.values < LIFELESS_FACTOR * usual), "lifeless"), levels


def _plain_noise_levels(filtered: xr.DataArray, *, excerpts: Excerpts) -> xr.DataArray:
    return estimate_noise_levels(filtered, excerpts=excerpts)


def _mark_bad(recording: xr.DataArray, channels: NDArray[np.bool_], fault: str) -> xr.DataArray:
    if channels.any():
        names = ", ".join(map(str, recording.channel.values[channels][:12]))
        plural = "s were" if channels.sum() > 1 else " was"
        warn_user(f"{channels.sum()} {fault} channel{plural} left out: {names}; mark them bad to silence this")
    return recording.assign_coords(bad=("channel", bad_channels_of(recording) | channels))
