"""Change the sampling rate, with a low-pass or without."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..graph.build import to_dask
from ..graph.compose.resample import ResampledSource
from ..graph.plan import Plan
from ..recording.clock import start_time_s
from ..recording.gaps import first_gap
from ..recording.stages import recording_plan
from ..unit_mark import carry_unit

#: Maximum denominator of the ratio of two rates.
_DENOMINATOR_MAX = 100_000
#: Maximum ratio of the new rate to the old one.
_FASTER_MAX = 100


@operation
def resample(recording: xr.DataArray, *, sampling_frequency_hz: float) -> xr.DataArray:
    """Change the sampling rate of a recording, lazily.

    A low-pass of finite length (Kaiser window, 10 samples of the slower rate on either side) removes what the new rate
    cannot represent. The result does not depend on chunks.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    sampling_frequency_hz
        The new rate. Its ratio to the old one is rounded to the nearest fraction with a denominator of at most 100 000.

    Returns
    -------
    Traces, float32, same unit and channels, still lazy; one task per chunk of the same duration. Times are those of the
    recording's clock; samples count from the first one of the result.

    Raises
    ------
    ParameterError
        If the rate is not positive, above 100 times that of the recording, or so low that the low-pass is longer than
        the recording.
    RecordingError
        If there are gaps in the times.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> slow = resample(recording, sampling_frequency_hz=1000.0)
    >>> slow.sizes["time"], float(slow.time[5])
    (2000, 0.005)
    """
    from ..kernels.preprocess import resample as kernel

    check_positive(sampling_frequency_hz=sampling_frequency_hz)
    rate = schema.validate_recording(recording).sampling_frequency
    ratio = Fraction(sampling_frequency_hz / rate).limit_denominator(_DENOMINATOR_MAX)
    if ratio == 0:
        raise ParameterError(
            f"sampling_frequency_hz is {sampling_frequency_hz:g} and the recording has {rate:g} Hz; the ratio must be "
            f"at least 1 / {_DENOMINATOR_MAX}"
        )
    up, down = ratio.numerator, ratio.denominator
    plan = recording_plan(recording)
    _check_rate(sampling_frequency_hz, rate, plan.source.n_samples / rate)
    source = ResampledSource(
        plan, kernel.resample, up, down, kernel.resample_reach(up=up, down=down), np.dtype(np.float32)
    )
    return _at_rate(recording, source, plan)


@operation
def decimate(recording: xr.DataArray, *, factor: int) -> xr.DataArray:
    """Keep every ``factor``-th sample unchanged, lazily.

    There is no low-pass: what lies above the new Nyquist frequency is aliased into the signal. Use :func:`resample` to
    avoid that.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    factor
        Distance between the samples that are kept; the first one is kept.

    Returns
    -------
    Traces of the same type and unit, still lazy; one task per chunk of the same duration. Times are those of the
    recording's clock; samples count from the first one of the result.

    Raises
    ------
    ParameterError
        If the factor is not a whole number between 1 and the number of samples.
    RecordingError
        If there are gaps in the times.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> slow = decimate(recording, factor=10)
    >>> slow.attrs["sampling_frequency"], bool((slow.values == recording.values[::10]).all())
    (3000.0, True)
    """
    from ..kernels.preprocess.resample import take_every

    schema.validate_recording(recording)
    if int(factor) != factor or factor < 1:
        raise ParameterError(f"factor is {factor!r}; it must be a whole number of at least 1")
    plan = recording_plan(recording)
    if factor > plan.source.n_samples:
        raise ParameterError(f"factor is {factor!r} and the recording has {plan.source.n_samples} samples; give less")
    return _at_rate(recording, ResampledSource(plan, take_every, 1, int(factor), 0, plan.dtype), plan)


def _check_rate(rate_hz: float, from_hz: float, duration_s: float) -> None:
    """Check that a recording of this length can have samples at the new rate."""
    from ..kernels.preprocess.resample import HALF_LENGTH

    if rate_hz > _FASTER_MAX * from_hz:
        raise ParameterError(
            f"sampling_frequency_hz is {rate_hz:g} and the recording has {from_hz:g} Hz; give at most "
            f"{_FASTER_MAX} times as many"
        )
    if rate_hz * duration_s < HALF_LENGTH:
        raise ParameterError(
            f"sampling_frequency_hz is {rate_hz:g}: its low-pass reaches {HALF_LENGTH / rate_hz:g} s to either side, "
            f"and the recording lasts {duration_s:g} s; give at least {HALF_LENGTH / duration_s:g} Hz (if kilohertz "
            f"are meant, {1000 * rate_hz:g})"
        )


def _at_rate(recording: xr.DataArray, source: ResampledSource, plan: Plan) -> xr.DataArray:
    """The recording with the samples that a source returns, on the same clock."""
    rate = plan.sampling_frequency * source.up / source.down
    chunk = max(1, round(max(plan.chunks) * source.up / source.down))
    data = to_dask(Plan.of_source(source, sampling_frequency=rate, chunk_samples=chunk))
    coords: dict[str, Any] = {n: c.variable for n, c in recording.coords.items() if c.dims == ("channel",)}
    if "inter_sample_shift" in coords:
        shift = recording.coords["inter_sample_shift"]
        coords["inter_sample_shift"] = shift.variable.copy(data=shift.values * source.up / source.down)
    changed = xr.DataArray(data, dims=("time", "channel"), coords=coords, name="traces", attrs=dict(recording.attrs))
    changed.attrs["sampling_frequency"] = rate
    changed.attrs[schema.SEGMENT_START] = start_time_s(recording)
    carry_unit(changed, recording)
    if "time" not in recording.coords:
        return changed
    clock = schema.clock_of(recording)
    if clock is not None:
        # The clock's rate may differ from that of the amplifier by a few parts per million.
        own = rate / (clock.step * plan.sampling_frequency)
        return changed.assign_coords(schema.time_coordinate(source.n_samples, own, start_time_s(recording)))
    gap = first_gap(recording, plan.sampling_frequency)
    if gap is not None:
        raise RecordingError(
            f"there is a gap of {gap.duration_s:g} s after {gap.start_s:g} s, over which samples cannot be "
            "interpolated; take the stretches between gaps one by one (time_slice)"
        )
    times = np.asarray(recording.coords["time"].values, np.float64)
    places = np.arange(source.n_samples) * (source.down / source.up)
    return changed.assign_coords(time=("time", np.interp(places, np.arange(len(times)), times)))
