"""Times of peaks between samples, by the mean waveforms of each channel.

Noise moves the extremum of a spike; where it is depends on everything around it, and best on the whole waveform. If the
waveform is known, the time at which it fits best, with errors weighed by the noise's autocovariance, has the smallest
error that is possible. A channel records a few neurons, so a few waveforms are learned for each, as a mixture: every
peak counts for each waveform by the likelihood with which that one left it, and its time is the mean over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.peaks import add_fields
from xephys.kernels.features.waveforms import event_rows, extract_waveforms
from xephys.kernels.lib.inner import inner, kernel

#: Half length of the interpolation between samples, and how far a time may move, in samples.
N_TAPS_HALF, MOVE_MAX = 4, 3
#: Samples that a snippet needs beyond a waveform on either side.
MARGIN = N_TAPS_HALF + MOVE_MAX + 2
#: Steps of Gauss and Newton for each waveform of a peak, and the longest of them.
N_STEPS, STEP_MAX = 2, 1.5
#: A peak is at least this many noise levels high, so that its time is not divided by nothing.
HEIGHT_MIN = 0.5
#: White noise that is added to the autocovariance, in parts of the variance: no frequency is without noise.
WHITE_SHARE = 0.05
#: A waveform is the mean of at least this many peaks.
N_PEAKS_MIN = 15
#: Peaks larger than this, in noise levels, are no noise.
QUIET = 4.0
N_CLUSTERINGS, N_ROUNDS = 20, 4


def autocovariance(
    excerpts: Sequence[NDArray[np.floating[Any]]],
    noise_levels: NDArray[np.float64],
    good: NDArray[np.bool_],
    n_lags: int,
) -> NDArray[np.float64]:
    """Autocovariance of noise divided by its level, from stretches without spikes.

    Parameters
    ----------
    excerpts : sequence of float (sample, channel)
        Traces.
    noise_levels, good : (channel,)
        Level of each channel, and which channels count.
    n_lags : int
        Number of lags, and length of a stretch.

    Returns
    -------
    float64 (lag,)
        1 at lag 0; of white noise if no stretch is quiet.

    Examples
    --------
    >>> white = np.random.default_rng(0).standard_normal((9000, 2))
    >>> autocovariance([white], np.ones(2), np.ones(2, bool), 3).round(1).tolist()
    [1.0, 0.0, 0.0]
    """
    total, n = np.zeros(n_lags), 0
    for part in excerpts:
        n_stretches = len(part) // n_lags
        scaled = part[: n_stretches * n_lags, good] / noise_levels[good]
        stretches = scaled.reshape(n_stretches, n_lags, -1).transpose(0, 2, 1).reshape(-1, n_lags)
        quiet = stretches[np.abs(stretches).max(axis=1, initial=0.0) < QUIET]
        power = np.abs(np.fft.rfft(quiet, 2 * n_lags, axis=1)) ** 2
        total += np.fft.irfft(power.sum(axis=0), 2 * n_lags)[:n_lags]
        n += len(quiet)
    if n == 0:
        return np.asarray(np.eye(1, n_lags)[0])
    unbiased = total / (n * (n_lags - np.arange(n_lags)))
    return np.asarray(unbiased / unbiased[0])


def learn_peak_waveforms(
    snippets: NDArray[np.float32],
    channels: NDArray[np.integer[Any]],
    offsets: NDArray[np.floating[Any]],
    *,
    n_channels: int,
    n_waveforms: int,
    autocovariance: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """Mean waveforms of the peaks of each channel, as a mixture.

    Parameters
    ----------
    snippets : float32 (peak, sample)
        Around each peak on its channel, in units of the noise, turned so that peaks are troughs; `MARGIN` samples
        longer than a waveform on either side.
    channels : int (peak,)
        Channel of each.
    offsets : float (peak,)
        Time of each after the snippet's middle, as far as it is known, in samples.
    n_channels, n_waveforms : int
        Number of channels, and of waveforms per channel.
    autocovariance : float64 (sample,)
        Of noise, as long as a waveform.

    Returns
    -------
    dict
        ``waveforms`` (float32 (channel, waveform, sample)), the trough of each -1; ``share`` (float64 (channel,
        waveform)) of the channel's peaks, 0 where there is no waveform; ``trough`` (float64 (channel, waveform)), the
        time of the lowest point after the middle, in samples.
    """
    length = len(autocovariance)
    precision = _precision(autocovariance)
    times = np.clip(offsets, -MOVE_MAX, MOVE_MAX).astype(np.float64)
    aligned = shifted(snippets, times, length)
    labels = np.full(len(snippets), -1, np.int64)
    root = np.linalg.cholesky(precision)
    order = np.argsort(channels, kind="stable")
    bounds = np.searchsorted(channels[order], np.arange(n_channels + 1))
    whitened = np.ascontiguousarray(aligned @ root)
    for channel in np.flatnonzero(np.diff(bounds) >= N_PEAKS_MIN):
        mine = order[bounds[channel] : bounds[channel + 1]]
        labels[mine] = cluster_by_direction(whitened[mine], n_waveforms, N_CLUSTERINGS)
    sums = np.zeros((n_channels, n_waveforms, length))
    weights, counts = np.zeros((2, n_channels, n_waveforms))
    known = labels >= 0
    at = (channels[known], labels[known])
    height = np.maximum(-aligned[known, length // 2], 1.0)
    np.add.at(sums, at, height[:, None] * aligned[known])
    np.add.at(weights, at, height**2)
    np.add.at(counts, at, 1.0)
    for _ in range(N_ROUNDS):
        model = _model_of(sums, weights, counts)
        sums, weights, counts = np.zeros_like(sums), np.zeros_like(weights), np.zeros_like(counts)
        estimate_times(snippets, channels.astype(np.int64), times, dual_of(model, precision), (sums, weights, counts))
    return _model_of(sums, weights, counts)


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
    dual = dual_of(model, _precision(autocovariance))
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


def evenly_per_channel(peaks: NDArray[np.void], n_peaks_max: int) -> NDArray[np.void]:
    """At most this many peaks of each channel, evenly spread, in the order given.

    Examples
    --------
    >>> peaks = np.zeros(5, [("channel_index", "i8")])
    >>> peaks["channel_index"] = 0, 0, 1, 0, 0
    >>> evenly_per_channel(peaks, 2)["channel_index"].tolist()
    [0, 1, 0]
    """
    channels = peaks["channel_index"]
    order = np.argsort(channels, kind="stable")
    _, first, count = np.unique(channels[order], return_index=True, return_counts=True)
    rank = np.arange(len(peaks)) - np.repeat(first, count)
    n = np.repeat(count, count)
    kept = (rank * n_peaks_max // n != (rank - 1) * n_peaks_max // n) | (n <= n_peaks_max)
    return np.asarray(peaks[np.sort(order[kept])])


def _precision(autocovariance: NDArray[np.float64]) -> NDArray[np.float64]:
    lags = np.abs(np.arange(len(autocovariance))[:, None] - np.arange(len(autocovariance)))
    covariance = autocovariance[lags] + WHITE_SHARE * np.eye(len(autocovariance))
    # A covariance that was estimated may lack a positive eigenvalue; noise has none below the white part.
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.maximum(values, WHITE_SHARE)) @ vectors.T)


def _model_of(
    sums: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Means of what was summed, with their troughs at -1."""
    known = (counts >= N_PEAKS_MIN) & (weights > 0)
    means = np.where(known[..., None], sums / np.where(known, weights, 1.0)[..., None], 0.0)
    trough, depth = _troughs(means)
    known &= depth > 0
    share = np.where(known, counts, 0.0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    waveforms = np.where(known[..., None], means / np.where(known, depth, 1.0)[..., None], 0.0)
    return {"waveforms": waveforms.astype(np.float32), "share": share, "trough": np.where(known, trough, 0.0)}


def _troughs(means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time after the middle, in samples, and depth of the lowest point near the middle."""
    half, step = means.shape[-1] // 2, 1.0 / 16
    places = np.arange(-MOVE_MAX, MOVE_MAX + step / 2, step)
    taps = np.arange(-MOVE_MAX - N_TAPS_HALF, MOVE_MAX + N_TAPS_HALF + 1)
    distance = places[:, None] - taps
    inside = np.abs(distance) < N_TAPS_HALF + 1
    weight = np.where(inside, np.sinc(distance) * np.cos(np.pi / 2 * distance / (N_TAPS_HALF + 1)) ** 2, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    fine = means[..., half + taps] @ weight.T
    at = np.clip(fine.argmin(axis=-1), 1, len(places) - 2)
    left, middle, right = (np.take_along_axis(fine, (at + d)[..., None], -1)[..., 0] for d in (-1, 0, 1))
    curve = left - 2 * middle + right
    bent = np.clip(np.where(curve > 0, 0.5 * (left - right) / np.where(curve > 0, curve, 1.0), 0.0), -1.0, 1.0)
    return places[at] + bent * step, -middle


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
    out, taps = np.empty((len(snippets), length)), np.empty(2 * N_TAPS_HALF + 1)
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
def cluster_by_direction(points: NDArray[np.float64], n_clusters: int, n_rounds: int) -> NDArray[np.int64]:
    """Cluster vectors by their direction, long ones counting more: k-means on the sphere.

    The first center is the mean of the longest third; each further one is a vector that the centers so far explain
    badly: the tenth worst, since the very worst are outliers.

    Parameters
    ----------
    points : float64 (point, dimension)
        Vectors.
    n_clusters, n_rounds : int
        Number of clusters, some of which may stay empty, and of rounds.

    Returns
    -------
    int64 (point,)
        Cluster of each.
    """
    n, n_dimensions = points.shape
    lengths = np.sqrt((points**2).sum(axis=1))
    centers = np.zeros((n_clusters, n_dimensions))
    order = np.argsort(-lengths, kind="mergesort")
    for i in order[: max(1, n // 3)]:
        centers[0] += points[i] / max(lengths[i], 1e-12)
    centers[0] /= max(np.sqrt((centers[0] ** 2).sum()), 1e-12)
    likeness, labels = np.full(n, -1.0), np.zeros(n, np.int64)
    for k in range(1, n_clusters):
        unlike = np.empty(n)
        for i in range(n):
            product = 0.0
            for d in range(n_dimensions):
                product += points[i, d] * centers[k - 1, d]
            likeness[i] = max(likeness[i], product / max(lengths[i], 1e-12))
            unlike[i] = (likeness[i] ** 2 - 1.0) * lengths[i] ** 2
        chosen = np.argsort(unlike, kind="mergesort")[min(n - 1, 9)]
        centers[k] = points[chosen] / max(lengths[chosen], 1e-12)
    for _ in range(n_rounds):
        sums = np.zeros((n_clusters, n_dimensions))
        for i in range(n):
            best = -np.inf
            for k in range(n_clusters):
                product = 0.0
                for d in range(n_dimensions):
                    product += points[i, d] * centers[k, d]
                if product > best:
                    best, labels[i] = product, k
            for d in range(n_dimensions):
                sums[labels[i], d] += lengths[i] * points[i, d]
        for k in range(n_clusters):
            size = np.sqrt((sums[k] ** 2).sum())
            if size > 0:
                centers[k] = sums[k] / size
    return labels


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
    out, taps = first.copy(), np.empty(2 * N_TAPS_HALF + 1)
    moved = np.empty((n_waveforms, length))
    time, height, likelihood = np.empty(n_waveforms), np.empty(n_waveforms), np.empty(n_waveforms)
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
