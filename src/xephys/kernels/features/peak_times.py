"""Times of peaks between samples, by the mean waveforms of each channel.

Noise moves the extremum of a spike; where it is depends on everything around it, and best on the whole waveform. If the
waveform is known, the time at which it fits best, with errors weighed by the noise's autocovariance, has the smallest
error that is possible. A channel records a few neurons, so a few waveforms are learned for each, as a mixture: every
peak counts for each waveform by the likelihood with which that one left it, and its time is the mean over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.autocovariance import precision_of
from xephys.kernels.features.waveforms import event_rows, extract_waveforms
from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import inner, kernel
from xephys.kernels.lib.records import add_fields

#: Half length of the interpolation between samples, and how far a time may move, in samples.
N_TAPS_HALF, MOVE_MAX = 4, 3
#: Samples that a snippet needs beyond a waveform on either side.
MARGIN = N_TAPS_HALF + MOVE_MAX + 2
#: Steps of Gauss and Newton for each waveform of a peak, and the longest of them.
N_STEPS, STEP_MAX = 2, 1.5
#: A peak is at least this many noise levels high, so that its time is not divided by nothing.
HEIGHT_MIN = 0.5


def refine_peak_times(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    noise_levels: NDArray[np.floating[Any]],
    model: Mapping[str, NDArray[Any]],
    autocovariance: NDArray[np.float64],
) -> NDArray[np.void]:
    """Set the field ``offset`` of peaks by the waveforms of their channels.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    events : structured ndarray
        Table with ``sample_index``, ``channel_index`` and perhaps ``offset``, which is where the search begins.
    before, after, start : int
        Halo rows (at least half a waveform and `MARGIN`) and absolute index of the first core sample.
    noise_levels : float (channel,)
        Positive noise level of each channel, in the unit of the traces.
    model : mapping
        From :func:`learn_peak_waveforms`.
    autocovariance : float64 (sample,)
        From :func:`autocovariance`.

    Returns
    -------
    structured ndarray
        The events with ``offset`` (float32), which is unchanged where the channel has no waveforms.

    Raises
    ------
    ValueError
        If the halo is too short.
    """
    fields = events.dtype.names or ()
    out = events.copy() if "offset" in fields else add_fields(events, [("offset", "<f4", ())])
    reach = len(autocovariance) // 2 + MARGIN
    rows = event_rows(traces, events, before=before, after=after, start=start, nbefore=reach, nafter=reach + 1)
    channels = events["channel_index"].astype(np.int64)
    snippets = snippets_of(traces, rows, channels, noise_levels, reach)
    dual = dual_of(model, precision_of(autocovariance))
    out["offset"] = estimate_times(snippets, channels, out["offset"].astype(np.float64), dual)
    return out


def snippets_of(
    traces: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    noise_levels: NDArray[np.floating[Any]],
    reach: int,
) -> NDArray[np.float32]:
    """Snippets of the peaks' own channels in units of the noise, turned so that each peak is a trough.

    Examples
    --------
    >>> snippets_of(np.array([[0], [4], [2]], np.float32), np.array([1]), np.array([0]), np.full(1, 2.0), 1).tolist()
    [[-0.0, -2.0, -1.0]]
    """
    found = extract_waveforms(traces, rows, channels[:, None], nbefore=reach, nafter=reach + 1)[:, :, 0]
    return upright(found, noise_levels[channels])


def upright(snippets: NDArray[np.float32], noise_levels: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Snippets in units of the noise, turned so that the middle is below zero."""
    middle = snippets[:, snippets.shape[1] // 2]
    scale = np.where(middle > 0, -1.0, 1.0) / noise_levels
    return np.ascontiguousarray(snippets * scale[:, None], np.float32)


class Dual(NamedTuple):
    """What the times of peaks are computed with, float64 by channel and waveform.

    The product of a snippet with ``heights (channel, waveform, sample)`` is its height, that with ``delays`` its height
    times its delay, of which ``bias`` is that of the waveform itself.
    """

    heights: NDArray[np.float64]
    delays: NDArray[np.float64]
    bias: NDArray[np.float64]
    energy: NDArray[np.float64]
    trough: NDArray[np.float64]
    log_share: NDArray[np.float64]


def dual_of(model: Mapping[str, NDArray[Any]], precision: NDArray[np.float64]) -> Dual:
    """From a model of :func:`learn_peak_waveforms` and the inverse covariance of noise."""
    waveforms = model["waveforms"].astype(np.float64)
    length = waveforms.shape[-1]
    padded = np.fft.rfft(waveforms, 2 * length, axis=-1)
    slopes = np.fft.irfft(padded * (2j * np.pi * np.fft.rfftfreq(2 * length)), 2 * length, axis=-1)[..., :length]
    heights, delays = waveforms @ precision, slopes @ precision
    energy, steepness = (heights * waveforms).sum(axis=-1), (delays * slopes).sum(axis=-1)
    heights = heights / np.maximum(energy, 1e-12)[..., None]
    delays = -delays / np.maximum(steepness, 1e-12)[..., None]
    with np.errstate(divide="ignore"):
        log_share = np.log(np.asarray(model["share"], np.float64))
    trough = np.asarray(model["trough"], np.float64)
    return Dual(heights, delays, (delays * waveforms).sum(axis=-1), energy, trough, log_share)


def estimate_times(
    snippets: NDArray[np.float32],
    channels: NDArray[np.int64],
    first: NDArray[np.float64],
    dual: Dual,
    summed: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Times of peaks after the middle of their snippets, in samples.

    Parameters
    ----------
    snippets : float32 (peak, sample)
        As :func:`snippets_of` makes them.
    channels : int64 (peak,)
        Channel of each.
    first : float64 (peak,)
        Where the search begins, and the result where the channel has no waveforms.
    dual : Dual
        Of the waveforms.
    summed : tuple, optional
        Three arrays to which is added: each snippet, shifted to its time for each waveform, by its likelihood and
        height (channel, waveform, sample); likelihoods times squared heights (channel, waveform); and likelihoods.

    Returns
    -------
    float64 (peak,)
    """
    learn = summed is not None
    sums, weights, counts = summed or (np.zeros((1, 1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    return np.asarray(
        _estimate(
            snippets, channels, first, dual.heights, dual.delays, dual.bias, dual.energy, dual.trough, dual.log_share,
            learn, sums, weights, counts,
        )
    )  # fmt: skip


@kernel
def shifted(snippets: NDArray[np.float32], times: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """The snippets around a time after their middle, by a windowed sinc.

    Parameters
    ----------
    snippets : float32 (peak, sample)
        `MARGIN` samples longer than `length` on either side.
    times : float64 (peak,)
        Where the middle of the result is, at most `MOVE_MAX` from that of the snippet.
    length : int
        Of the result.

    Returns
    -------
    float64 (peak, length)
    """
    out, taps = empty((len(snippets), length)), empty(2 * N_TAPS_HALF + 1)
    for i in range(len(snippets)):
        _shift(snippets, i, times[i], taps, out, i)
    return out


@inner
def _shift(snippets, i, time, taps, out, row):  # type: ignore[no-untyped-def]
    """One snippet around a time, into a row of ``out``."""
    whole = int(np.floor(time))
    part, total = time - whole, 0.0
    for tap in range(len(taps)):
        distance = tap - N_TAPS_HALF - part
        window = np.cos(np.pi / 2 * distance / (N_TAPS_HALF + 1)) ** 2
        at = np.pi * distance
        taps[tap] = window if abs(at) < 1e-9 else np.sin(at) / at * window
        total += taps[tap]
    for tap in range(len(taps)):
        taps[tap] /= total
    first = MARGIN + whole - N_TAPS_HALF
    for t in range(out.shape[1]):
        value = 0.0
        for tap in range(len(taps)):
            value += taps[tap] * snippets[i, first + t + tap]
        out[row, t] = value


@kernel
def _estimate(
    snippets: NDArray[np.float32],
    channels: NDArray[np.int64],
    first: NDArray[np.float64],
    heights: NDArray[np.float64],
    delays: NDArray[np.float64],
    bias: NDArray[np.float64],
    energy: NDArray[np.float64],
    trough: NDArray[np.float64],
    log_share: NDArray[np.float64],
    learn: bool,
    sums: NDArray[np.float64],
    weights: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What :func:`estimate_times` returns."""
    n_waveforms, length = heights.shape[1:]
    out, taps = first.copy(), empty(2 * N_TAPS_HALF + 1)
    moved = empty((n_waveforms, length))
    time, height, likelihood = empty(n_waveforms), empty(n_waveforms), empty(n_waveforms)
    for i in range(len(snippets)):
        c = channels[i]
        begin = min(max(first[i], -float(MOVE_MAX)), float(MOVE_MAX))
        best = -np.inf
        for k in range(n_waveforms):
            likelihood[k] = log_share[c, k]
            if likelihood[k] == -np.inf:
                continue
            time[k] = min(max(begin - trough[c, k], -float(MOVE_MAX)), float(MOVE_MAX))
            for step in range(N_STEPS + 1):
                _shift(snippets, i, time[k], taps, moved, k)
                product, late = 0.0, 0.0
                for t in range(length):
                    product += heights[c, k, t] * moved[k, t]
                    late += delays[c, k, t] * moved[k, t]
                height[k] = max(product, HEIGHT_MIN)
                if step < N_STEPS:
                    by = late / height[k] - bias[c, k]
                    by = min(max(by, -STEP_MAX), STEP_MAX)
                    time[k] = min(max(time[k] + by, -float(MOVE_MAX)), float(MOVE_MAX))
            likelihood[k] += 0.5 * max(product, 0.0) ** 2 * energy[c, k]
            best = max(best, likelihood[k])
        if best == -np.inf:
            continue
        total, mean = 0.0, 0.0
        for k in range(n_waveforms):
            likelihood[k] = np.exp(likelihood[k] - best)
            total += likelihood[k]
            if likelihood[k] > 0:
                mean += likelihood[k] * (time[k] + trough[c, k])
        out[i] = mean / total
        if learn:
            for k in range(n_waveforms):
                weight = likelihood[k] / total
                if weight > 0:
                    for t in range(length):
                        sums[c, k, t] += weight * height[k] * moved[k, t]
                    weights[c, k] += weight * height[k] ** 2
                    counts[c, k] += weight
    return out
