"""Times of peaks between samples, refined by the mean waveforms of each channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError, RecordingError, SilentRecordingError
from ..graph.events import SpikeTable, compute
from ..graph.excerpts import tile_plans
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, noise_levels_of
from ..recording.excerpts import Excerpts, excerpts_of_these
from .events import event_table, window_samples
from .waveforms import extract_snippets


@operation
def learn_peak_waveforms(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    noise_levels: xr.DataArray,
    n_waveforms: int = 12,
    half_width_ms: float = 1.25,
    n_tiles: int | None = 60,
    n_peaks_max: int = 1000,
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Learn the mean waveforms of each channel's peaks, by which their times are refined. Computes.

    A channel records a few neurons. Its peaks are clustered by shape, and a mixture of waveforms is fitted to them,
    each peak at the time at which the waveform suits it best.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or its computed records. With a field ``offset``, such as those of
        :func:`detect_by_network`, the fit begins there.
    noise_levels
        Noise level per channel in the recording's unit, from :func:`xephys.estimate_noise_levels`.
    n_waveforms
        Maximum number of waveforms per channel, more than it has neurons: large spikes may differ from small ones.
    half_width_ms
        Samples up to this far from a peak take part in its time. Slow noise is told apart only by a window of this
        length.
    n_tiles
        How many seconds of the recording are read, evenly spread; all of it if None.
    n_peaks_max
        Maximum number of peaks used per channel, evenly spread.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`, for the autocovariance of noise; drawn here if None.
    seed
        Seed for choosing tiles and excerpts.

    Returns
    -------
    Dataset with ``waveforms (channel, waveform, sample)`` (float32, troughs -1), ``share (channel, waveform)`` of the
    channel's peaks (0 where there is no waveform), ``trough (channel, waveform)``, the time of the lowest point after
    the middle in samples, ``autocovariance (sample)`` of noise, and ``noise_level (channel)``.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    RecordingError
        If the noise levels do not fit.
    SilentRecordingError
        If there are no peaks.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> levels = xephys.estimate_noise_levels(filtered)
    >>> peaks = xephys.detect_by_network(filtered, noise_levels=levels)
    >>> learn_peak_waveforms(filtered, peaks, noise_levels=levels, n_waveforms=2).sizes["waveform"]
    2
    """
    from ..kernels.features import autocovariance as noise_kernel
    from ..kernels.features import peak_times as kernel
    from ..kernels.features import peak_waveforms as learning

    check_positive(n_waveforms=n_waveforms, half_width_ms=half_width_ms, n_peaks_max=n_peaks_max)
    rate = schema.validate_recording(recording).sampling_frequency
    half, _ = window_samples(half_width_ms, half_width_ms, rate)
    if half < kernel.MARGIN:
        raise ParameterError(
            f"half_width_ms is {half_width_ms:g}, which is {half} samples; give at least {kernel.MARGIN / rate * 1e3:g}"
        )
    noise = noise_levels_of(recording, noise_levels).astype(np.float64)
    good = ~bad_channels_of(recording) & (noise > 0)
    reach_ms = (half + kernel.MARGIN) / rate * 1e3
    table = extract_snippets(recording, peaks, ms_before=reach_ms, ms_after=reach_ms + 1e3 / rate)
    if table.plan is None:
        raise RecordingError("the peaks have no plan; detect them on the recording")
    plans = [table.plan] if n_tiles is None else tile_plans(table.plan, n_tiles=n_tiles, seed=seed)
    found = np.concatenate(compute(*[SpikeTable.of_plan(plan).data for plan in plans]))
    found = learning.evenly_per_channel(found[good[found["channel_index"]]], n_peaks_max)
    if not len(found):
        raise SilentRecordingError("no peaks were found from which waveforms could be learned; lower the threshold")
    parts = excerpts_of_these(recording, excerpts, seed=seed)
    covariance = noise_kernel.autocovariance(parts, np.where(good, noise, 1.0), good, 2 * half + 1)
    model = learning.learn_peak_waveforms(
        kernel.upright(found["waveform"], noise[found["channel_index"]]),
        found["channel_index"],
        found["offset"] if "offset" in table.fields else np.zeros(len(found)),
        n_channels=recording.sizes["channel"],
        n_waveforms=n_waveforms,
        autocovariance=covariance,
    )
    return xr.Dataset(
        {
            "waveforms": (("channel", "waveform", "sample"), model["waveforms"]),
            "share": (("channel", "waveform"), model["share"]),
            "trough": (("channel", "waveform"), model["trough"]),
            "autocovariance": ("sample", covariance),
            "noise_level": ("channel", np.where(good, noise, 1.0)),
        },
        coords={"channel": recording.channel.values},
        attrs={"sampling_frequency": rate, "n_peaks": len(found)},
    )


@operation
def refine_peak_times(
    recording: xr.DataArray, peaks: SpikeTable | NDArray[Any], *, waveforms: xr.Dataset
) -> SpikeTable:
    """Refine the times of peaks between samples by the mean waveforms of their channels, lazily.

    Noise moves the trough of a spike; the time at which a known waveform fits best, with errors weighed by the noise's
    autocovariance, is nearer to the truth. Peaks of channels without waveforms keep their time.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, filtered as those from which the waveforms were learned.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    waveforms
        From :func:`learn_peak_waveforms`.

    Returns
    -------
    The table; its field ``offset`` (float32) is the time of the spike minus ``sample_index``, in samples.

    Raises
    ------
    ParameterError
        If the waveforms are those of another sampling rate.
    RecordingError
        If a channel of the recording is none of those of the waveforms.

    References
    ----------
    The smallest error that is possible is that of Cramér and Rao for a delay in coloured noise (S. M. Kay 1993,
    Fundamentals of Statistical Signal Processing I, chapter 3).

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> levels = xephys.estimate_noise_levels(filtered)
    >>> peaks = xephys.detect_by_network(filtered, noise_levels=levels)
    >>> waveforms = learn_peak_waveforms(filtered, peaks, noise_levels=levels)
    >>> refine_peak_times(filtered, peaks, waveforms=waveforms).fields == peaks.fields
    True
    """
    from ..kernels.features import peak_times as kernel

    table = event_table(recording, peaks)
    rate = float(waveforms.attrs["sampling_frequency"])
    if not np.isclose(rate, table.sampling_frequency):
        raise ParameterError(
            f"the waveforms were learned at {rate:g} Hz and the recording has {table.sampling_frequency:g} Hz; learn "
            "them on this recording"
        )
    missing = ~np.isin(recording.channel.values, waveforms.channel.values)
    if missing.any():
        names = ", ".join(map(str, recording.channel.values[missing][:8]))
        raise RecordingError(f"channels {names} have no waveforms; learn them on this recording")
    own = waveforms.sel(channel=recording.channel.values)
    fields = [(name, table.dtype[name]) for name in table.fields]
    dtype = np.dtype(fields if "offset" in table.fields else [*fields, ("offset", "<f4")])
    reach = own.sizes["sample"] // 2 + kernel.MARGIN
    stage = Stage(
        kernel.refine_peak_times,
        dtype=dtype,
        arrays={
            "noise_levels": own["noise_level"].values,
            "autocovariance": own["autocovariance"].values,
            **{f"model.{name}": own[name].values for name in ("waveforms", "share", "trough")},
        },
        before=reach,
        after=reach,
        emits="events",
    )
    return table.then(stage)
