"""Silence periods that are known to hold no signal, or bridge them from the samples around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...calls import operation
from ...checks import check_choice
from ...errors import ParameterError, warn_user
from ...graph.plan import Stage
from ...per_channel import noise_levels_of
from ...recording.slicing import samples_at
from ...recording.stages import extend_recording, recording_plan
from .triggers import trigger_times

#: How an artifact is replaced: points on either side, ms between them, number of samples whose median each point is.
_BRIDGES = {"linear": (1, 1.0, 1), "cubic": (3, 1.0, 5)}


@operation
def silence_periods(
    recording: xr.DataArray, *, periods_s: Any, noise_levels: xr.DataArray | None = None, seed: int = 0
) -> xr.DataArray:
    """Set the samples of given periods to zero, or to noise, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    periods_s
        Pairs ``(start, stop)`` in seconds on the recording's clock, of shape (period, 2), or the Dataset that
        :func:`detect_artifact_periods` returns. Overlapping periods are joined.
    noise_levels
        Noise levels of these traces, from :func:`estimate_noise_levels`, to fill the periods with normal noise; zeros
        if None.
    seed
        Seed of the noise, which does not depend on chunks.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If a period is not a pair of finite times, or ends before it begins.
    RecordingError
        If there is not one noise level per channel, or they are in another unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> silenced = silence_periods(recording, periods_s=[(0.5, 0.6), (0.55, 0.7)])
    >>> int((silenced == 0).all("channel").sum()) / 30_000
    0.2
    """
    n = schema.validate_recording(recording).n_channels
    first, last = period_samples(recording, periods_s)
    levels = np.zeros(n) if noise_levels is None else noise_levels_of(recording, noise_levels)
    return _silenced(recording, first, last, levels, seed=seed)


@operation
def remove_artifacts(
    recording: xr.DataArray,
    *,
    trigger_times_s: Any,
    ms_before: float = 0.5,
    ms_after: float = 3.0,
    mode: str = "zeros",
) -> xr.DataArray:
    """Replace the traces around known triggers, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``. Remove artifacts before filtering, which would smear them beyond their
        periods.
    trigger_times_s
        Times of the artifacts in seconds on the recording's clock.
    ms_before, ms_after
        The period begins this long before the trigger and ends this long after it, both samples included; with 0 and 0
        it is one sample. Overlapping periods are joined.
    mode
        ``"zeros"``; ``"linear"``: a line between the samples beside the period; ``"cubic"``: a spline through three
        points on each side, a millisecond apart, each the median of five samples. At an end of the recording the
        nearest value is held. For artifacts of one recurring shape, see :func:`subtract_artifacts`.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If the mode is unknown, a time is not finite, or the period is negative.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> clean = remove_artifacts(recording, trigger_times_s=[0.5, 1.25], mode="linear")
    >>> changed = (clean != recording).any("channel")
    >>> int(changed.isel(time=slice(0, 14_985)).sum()), bool(changed.isel(time=15_000))
    (0, True)
    """
    from ...kernels.preprocess.blank.periods import bridge_periods, merged_periods

    check_choice("mode", mode, ("zeros", *_BRIDGES))
    rate = schema.validate_recording(recording).sampling_frequency
    times = trigger_times(trigger_times_s)
    if not np.isfinite([ms_before, ms_after]).all() or ms_before + ms_after < 0:
        raise ParameterError(
            f"ms_before is {ms_before!r} and ms_after {ms_after!r}; together they must not be negative"
        )
    plan = recording_plan(recording)
    at = plan.start + samples_at(recording, times)
    nbefore, nafter = (round(1e-3 * ms * rate) for ms in (ms_before, ms_after))
    _warn_outside("trigger_times_s", at - nbefore < plan.source.n_samples, at + nafter >= 0, times)
    first, last = merged_periods(at - nbefore, at + nafter + 1)
    if mode == "zeros":
        return _silenced(recording, first, last, np.zeros(recording.sizes["channel"]), seed=0)
    n_points, step_ms, window = _BRIDGES[mode]
    step = max(1, round(1e-3 * step_ms * rate))
    reach = int((last - first).max(initial=0)) + n_points * step + window
    stage = Stage(
        bridge_periods,
        dtype=np.dtype("f4"),
        parameters={
            "n_samples": recording_plan(recording).source.n_samples,
            "n_fit_points": n_points,
            "fit_step_samples": step,
            "fit_window_samples": window,
        },
        arrays={"first": first, "last": last},
        before=reach,
        after=reach,
        timed=True,
    )
    return extend_recording(recording, stage)


def _silenced(
    recording: xr.DataArray,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    noise_levels: NDArray[np.floating[Any]],
    *,
    seed: int,
) -> xr.DataArray:
    from ...kernels.preprocess.blank.periods import silence_periods as kernel

    stage = Stage(
        kernel,
        dtype=np.dtype("f4"),
        parameters={"seed": int(seed)},
        arrays={"first": first, "last": last, "noise_levels": np.ascontiguousarray(noise_levels, np.float32)},
        timed=True,
    )
    return extend_recording(recording, stage)


def _warn_outside(name: str, *inside: NDArray[np.bool_] | NDArray[np.float64]) -> None:
    """Warn if none of the given times lies in the recording of which these traces are all or a part."""
    *within, times_s = inside
    if len(times_s) and not np.logical_and(*within).any():
        warn_user(
            f"none of the {len(times_s)} {name} lies within the recording (the first is at {times_s[0]:g} s), so "
            "nothing is changed; give seconds on the recording's clock"
        )


def period_samples(recording: xr.DataArray, periods_s: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First samples and ends of periods, as the stages of the plan count them, ascending and disjoint.

    Raises
    ------
    ParameterError
        If a period is not a pair of finite times, or ends before it begins.
    """
    from ...kernels.preprocess.blank.periods import merged_periods

    if isinstance(periods_s, xr.Dataset):
        periods_s = np.stack([periods_s["start_s"].values, periods_s["stop_s"].values], axis=1)
    pairs = np.asarray(periods_s, np.float64).reshape(-1, 2) if np.size(periods_s) == 0 else np.asarray(periods_s, "f8")
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ParameterError(f"periods_s has shape {pairs.shape}; give pairs (start, stop) in seconds, (period, 2)")
    wrong = np.flatnonzero(~(np.isfinite(pairs).all(axis=1) & (pairs[:, 0] <= pairs[:, 1])))
    if len(wrong):
        start, stop = pairs[wrong[0]]
        raise ParameterError(
            f"period {wrong[0]} lasts from {start:g} to {stop:g} s; give finite times, the start before the stop"
        )
    plan = recording_plan(recording)
    first, last = (plan.start + samples_at(recording, edge) for edge in pairs.T)
    _warn_outside("periods_s", first < plan.source.n_samples, last > 0, pairs[:, 0])
    kept = last > first
    return merged_periods(first[kept], last[kept])
