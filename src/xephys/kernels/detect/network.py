"""Detect spikes on one tile of traces by a small convolutional network that judges every local extremum.

The network is a stack of valid 1-D convolutions with rectifiers between them, and its weights serve all channels. Its
output at a sample depends on the samples of its receptive field alone. It is computed only where a local extremum
exceeds a low threshold, at about one sample in a hundred, so that its size matters little; the values there are those
that the whole convolution would have. Sums run in a fixed order, so results do not depend on where the tile was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.peaks import suppress_weaker
from xephys.kernels.detect.threshold_scan import PeakSign, find_candidates, scan_limits
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import inner, kernel
from xephys.kernels.lib.lanes import LANES, fma, larger, load_f32, splat_f32, store
from xephys.kernels.lib.records import PEAK_DTYPE

#: A peak with the network's opinion: the probability that it is a spike, and the spike's time after ``sample_index``,
#: in samples.
NETWORK_PEAK_DTYPE = np.dtype([*PEAK_DTYPE.descr, ("probability", "<f4"), ("offset", "<f4")])


def pack_layers(
    weights: list[NDArray[np.floating[Any]]], biases: list[NDArray[np.floating[Any]]]
) -> dict[str, NDArray[Any]]:
    """The layers of a network as three flat arrays, which a compiled function can walk through.

    Parameters
    ----------
    weights : list of float (out, in, tap)
        Weights of each convolution, as Torch has them.
    biases : list of float (out,)
        Constants of each.

    Returns
    -------
    dict
        ``weights`` and ``biases`` (float32, all layers), ``shape`` (int64 (layer, 3): taps, inputs, outputs).

    Raises
    ------
    ValueError
        If the layers do not follow one another, or the first one takes more than one channel.

    Examples
    --------
    >>> packed = pack_layers([np.ones((4, 1, 3)), np.ones((2, 4, 1))], [np.zeros(4), np.zeros(2)])
    >>> packed["shape"].tolist(), packed["weights"].size
    ([[3, 1, 4], [1, 4, 2]], 20)
    """
    inputs = 1
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.ndim != 3 or weight.shape[1] != inputs or bias.shape != weight.shape[:1]:
            raise ValueError(
                f"layer {number} has weights {weight.shape} and biases {bias.shape} after {inputs} channels; give "
                "(out, in, tap) and (out,)"
            )
        inputs = len(weight)
    return {
        "weights": np.concatenate([np.ravel(w.transpose(2, 1, 0)) for w in weights]).astype(np.float32),
        "biases": np.concatenate(biases).astype(np.float32),
        "shape": np.array([(w.shape[2], w.shape[1], w.shape[0]) for w in weights], np.int64),
    }


def receptive_field(shape: NDArray[np.int64]) -> int:
    """Number of samples on which one output depends.

    Examples
    --------
    >>> receptive_field(np.array([[21, 1, 50], [21, 50, 1]]))
    41
    """
    return int(np.sum(shape[:, 0] - 1)) + 1


def network_halo(shape: NDArray[np.int64], *, nbefore: int, exclude_sweep_samples: int) -> tuple[int, int]:
    """Samples that detection needs before and after its core: the sweep, and the receptive field around its ends.

    Examples
    --------
    >>> network_halo(np.array([[49, 1, 8]]), nbefore=24, exclude_sweep_samples=6)
    (30, 30)
    """
    nafter = receptive_field(shape) - 1 - nbefore
    return exclude_sweep_samples + max(nbefore, 1), exclude_sweep_samples + max(nafter, 1)


def detect_by_network(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    noise_levels: NDArray[np.floating[Any]],
    network: Mapping[str, NDArray[Any]],
    nbefore: int,
    candidate_threshold: float,
    probability_min: float,
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.void]:
    """Detect spikes on each channel separately by a network.

    A candidate is a local extremum of at least ``candidate_threshold`` times the noise level. The network sees the
    samples around it, divided by the noise level and by the sign that makes the candidate a trough. A candidate is kept
    if its probability reaches ``probability_min`` and no other candidate of its channel within the sweep has a larger
    one.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows on each side, at least those of :func:`network_halo`.
    start : int
        Absolute index of the first core sample.
    noise_levels : float (channel,)
        Positive noise level of each channel, in the unit of the traces.
    network : mapping
        From :func:`pack_layers`. The last layer's outputs are the log odds of a spike and, if there is a second one,
        its offset in samples.
    nbefore : int
        Samples of the receptive field before the candidate.
    candidate_threshold : float
        In units of the noise level.
    probability_min : float
        Minimum probability of a peak.
    peak_sign : {"neg", "pos", "both"}
        Sign of the peaks.
    exclude_sweep_samples : int
        Half width of the exclusion window.
    good : bool (channel,), optional
        False where a channel must not give peaks (bad channels).

    Returns
    -------
    structured ndarray
        `NETWORK_PEAK_DTYPE` records of the core, sorted by sample, then channel.

    Raises
    ------
    ValueError
        If the halo is too short, or a noise level is not positive.

    Examples
    --------
    >>> network = pack_layers([np.array([[[0.0, -1.0, 0.0]], [[0.5, 0.0, -0.5]]])], [np.array([-3.0, 0.0])])
    >>> traces = np.zeros((40, 1), np.float32)
    >>> traces[19:22, 0] = -3, -6, -1
    >>> detect_by_network(traces, before=9, after=9, start=0, noise_levels=np.ones(1), network=network, nbefore=1,
    ...                   candidate_threshold=2.0, probability_min=0.5, exclude_sweep_samples=4)["offset"]
    array([-1.], dtype=float32)
    """
    halo = network_halo(network["shape"], nbefore=nbefore, exclude_sweep_samples=exclude_sweep_samples)
    if before < halo[0] or after < halo[1]:
        raise ValueError(
            f"halo is {before} samples before and {after} after; this network needs {halo[0]} and {halo[1]}"
        )
    stop = len(traces) - after
    low, high = scan_limits(traces, noise_levels * candidate_threshold, peak_sign, good, strict=False)
    rows, channels = find_candidates(traces, before - exclude_sweep_samples, stop + exclude_sweep_samples, low, high)
    scale = (1.0 / noise_levels).astype(np.float32)
    outputs = evaluate_at(
        traces, rows, channels, scale, network["weights"], network["biases"], network["shape"], nbefore
    )
    itself = np.arange(traces.shape[1], dtype=np.int32)[:, None]
    keep = suppress_weaker(rows, channels, outputs[:, 0].astype(np.float64), itself, exclude_sweep_samples)
    keep &= (rows >= before) & (rows < stop) & (outputs[:, 0] >= log_odds(probability_min))
    peaks = np.zeros(np.count_nonzero(keep), NETWORK_PEAK_DTYPE)
    peaks["sample_index"] = rows[keep] + (start - before)
    peaks["channel_index"] = channels[keep]
    peaks["amplitude"] = traces[rows[keep], channels[keep]]
    peaks["probability"] = 1.0 / (1.0 + np.exp(-outputs[keep, 0]))
    if outputs.shape[1] > 1:
        peaks["offset"] = outputs[keep, 1]
    return peaks


def log_odds(probability: float) -> np.float32:
    """Logarithm of p / (1 - p), also where p is 0 or 1.

    Examples
    --------
    >>> log_odds(0.5), log_odds(0.0)
    (np.float32(0.0), np.float32(-inf))
    """
    with np.errstate(divide="ignore"):
        return np.float32(np.log(probability) - np.log1p(-probability))


@kernel
def evaluate_at(
    traces: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    scale: NDArray[np.float32],
    weights: NDArray[np.float32],
    biases: NDArray[np.float32],
    shape: NDArray[np.int64],
    nbefore: int,
) -> NDArray[np.float32]:
    """Outputs of the network at some samples.

    Parameters
    ----------
    traces : float32 (sample, channel)
        Time-major traces.
    rows, channels : int64 (candidate,)
        Where to compute; the receptive field around each row must lie inside the traces.
    scale : float32 (channel,)
        Factor on each channel. A candidate above zero is turned into a trough.
    weights, biases, shape, nbefore
        As for :func:`detect_by_network`.

    Returns
    -------
    float32 (candidate, output)
    """
    n_layers = len(shape)
    field, widest = 1, 1
    for layer in range(n_layers):
        field += shape[layer, 0] - 1
        widest = max(widest, shape[layer, 2])
    outputs = empty((len(rows), shape[n_layers - 1, 2]), np.float32)
    # Value k of sample t of candidate i is at (t * n_in + k) * LANES + i: a vector holds sixteen candidates.
    given = zeros(field * widest * LANES, np.float32)
    made = zeros(field * widest * LANES, np.float32)
    for first in range(0, len(rows), LANES):
        n = min(LANES, len(rows) - first)
        for lane in range(n):
            row, c = rows[first + lane], channels[first + lane]
            factor = scale[c] if traces[row, c] < 0 else -scale[c]
            for t in range(field):
                given[t * LANES + lane] = traces[row - nbefore + t, c] * factor
        length, w, b = field, 0, 0
        for layer in range(n_layers):
            taps, n_in, n_out = shape[layer, 0], shape[layer, 1], shape[layer, 2]
            length -= taps - 1
            for t in range(length):
                _layer_at(given, made, t, taps * n_in, n_in, n_out, weights, w, biases, b, layer < n_layers - 1)
            w += taps * n_in * n_out
            b += n_out
            given, made = made, given
        for lane in range(n):
            for k in range(shape[n_layers - 1, 2]):
                outputs[first + lane, k] = given[k * LANES + lane]
    return outputs


@inner
def _layer_at(given, made, t, n, n_in, n_out, weights, w, biases, b, rectify):  # type: ignore[no-untyped-def]
    """All outputs of one layer at one sample, four at a time, so that each input is loaded once for them."""
    zero = splat_f32(np.float32(0))
    here = t * n_in * LANES
    for j in range(0, n_out, 4):
        j1, j2, j3 = min(j + 1, n_out - 1), min(j + 2, n_out - 1), min(j + 3, n_out - 1)
        s0, s1 = splat_f32(biases[b + j]), splat_f32(biases[b + j1])
        s2, s3 = splat_f32(biases[b + j2]), splat_f32(biases[b + j3])
        at = w
        for k in range(n):
            x = load_f32(given, here + k * LANES)
            s0, s1 = fma(splat_f32(weights[at + j]), x, s0), fma(splat_f32(weights[at + j1]), x, s1)
            s2, s3 = fma(splat_f32(weights[at + j2]), x, s2), fma(splat_f32(weights[at + j3]), x, s3)
            at += n_out
        if rectify:
            s0, s1, s2, s3 = larger(s0, zero), larger(s1, zero), larger(s2, zero), larger(s3, zero)
        there = t * n_out
        store(made, (there + j) * LANES, s0)
        store(made, (there + j1) * LANES, s1)
        store(made, (there + j2) * LANES, s2)
        store(made, (there + j3) * LANES, s3)
