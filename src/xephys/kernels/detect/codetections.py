"""Group the detections of one spike on neighboring channels around its largest one, the root, on one tile.

A detection is a root if no other detection on an inner channel within the overlap time is stronger, in units of the
noise. The record of a root lists, for each channel around it, when and how strongly the spike was detected there. Every
decision looks at detections within a fixed time of the root, so it does not depend on where the tile was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.network import NETWORK_PEAK_DTYPE, detect_by_network, network_halo
from xephys.kernels.detect.peaks import suppress_weaker
from xephys.kernels.detect.threshold_scan import PeakSign
from xephys.kernels.lib.arrays import full, zeros
from xephys.kernels.lib.inner import kernel


def codetection_dtype(n_slots: int) -> np.dtype[Any]:
    """A root, and what was detected on the ``n_slots`` channels around it; slot 0 is the root itself.

    ``isolated`` is whether no stronger detection lies on any slot's channel within the window; ``n_inner`` and
    ``n_loose`` count the slots with a detection, on inner channels and on all. Per slot: ``latencies`` in samples
    after the root, ``amplitudes`` in units of the noise, ``probabilities``. Without a detection the last is 0, the
    latency 0, and the amplitude that of the trace at the time of the root, if it has the root's sign.

    Examples
    --------
    >>> codetection_dtype(12).itemsize
    117
    """
    slots: list[Any] = [(name, "<f2", (n_slots,)) for name in ("latencies", "amplitudes", "probabilities")]
    return np.dtype([*NETWORK_PEAK_DTYPE.descr, ("isolated", "?"), ("n_inner", "<i2"), ("n_loose", "<i2"), *slots])


def codetection_halo(
    shape: NDArray[np.int64], *, nbefore: int, exclude_sweep_samples: int, window_samples: int
) -> tuple[int, int]:
    """Samples that are needed before and after the core: those of detection, and the window around a root.

    Examples
    --------
    >>> codetection_halo(np.array([[49, 1, 8]]), nbefore=24, exclude_sweep_samples=6, window_samples=10)
    (40, 40)
    """
    before, after = network_halo(shape, nbefore=nbefore, exclude_sweep_samples=exclude_sweep_samples)
    return before + window_samples, after + window_samples


def detect_codetections(
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
    stringent_thresh: float,
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    window_samples: int,
    overlap_samples: int,
    n_channels_noise: int,
    neighbors: NDArray[np.int32],
    n_inner: NDArray[np.int32],
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.void]:
    """Detect spikes by a network and group their detections around the strongest.

    Parameters
    ----------
    traces, before, after, start, noise_levels, network, nbefore, candidate_threshold, peak_sign, good
        As for :func:`detect_by_network`; the halo is that of :func:`codetection_halo`.
    probability_min : float
        Minimum probability of a detection on a channel around a root.
    stringent_thresh : float
        Minimum probability of a root.
    exclude_sweep_samples : int
        Half width of the exclusion window on one channel.
    window_samples : int
        Maximum time between the root and another detection of the same spike.
    overlap_samples : int
        Of two detections on inner channels closer than this, only the stronger one is a root; at most the window.
    n_channels_noise : int
        A root within whose window as many channels detect something is an artifact and is left out.
    neighbors : int32 (channel, slot)
        Channels around each channel, itself first, then the nearest; padded with -1.
    n_inner : int32 (channel,)
        How many of them are inner ones, including the channel itself.

    Returns
    -------
    structured ndarray
        Records of :func:`codetection_dtype`, sorted by sample, then channel.

    Raises
    ------
    ValueError
        If the halo is too short, or a noise level is not positive.

    Examples
    --------
    >>> from xephys.kernels.detect.network import pack_layers
    >>> network = pack_layers([np.array([[[0.0, -1.0, 0.0]]])], [np.array([-3.0])])
    >>> traces = np.zeros((60, 2), np.float32)
    >>> traces[[29, 31], [0, 1]] = -9, -6
    >>> roots = detect_codetections(
    ...     traces, before=15, after=15, start=0, noise_levels=np.ones(2), network=network, nbefore=1,
    ...     candidate_threshold=2.0, probability_min=0.1, stringent_thresh=0.5, exclude_sweep_samples=4,
    ...     window_samples=10, overlap_samples=5, n_channels_noise=9,
    ...     neighbors=np.array([[0, 1], [1, 0]], np.int32), n_inner=np.array([2, 2], np.int32))
    >>> roots["sample_index"], roots["latencies"], roots["amplitudes"]
    (array([14]), array([[0., 2.]], dtype=float16), array([[9., 6.]], dtype=float16))
    """
    peaks = detect_by_network(
        traces,
        before=before - window_samples,
        after=after - window_samples,
        start=0,
        noise_levels=noise_levels,
        network=network,
        nbefore=nbefore,
        candidate_threshold=candidate_threshold,
        probability_min=probability_min,
        peak_sign=peak_sign,
        exclude_sweep_samples=exclude_sweep_samples,
        good=good,
    )
    # Rows of the traces: the core of this detection began a window earlier.
    rows = peaks["sample_index"] + (before - window_samples)
    channels = np.ascontiguousarray(peaks["channel_index"])
    strength = np.abs(peaks["amplitude"]) / noise_levels[channels]
    likely = peaks["probability"] >= stringent_thresh
    inner = np.where(np.arange(neighbors.shape[1]) < n_inner[:, None], neighbors, -1).astype(np.int32)
    root = np.zeros(len(peaks), np.bool_)
    root[likely] = suppress_weaker(rows[likely], channels[likely], strength[likely], inner, overlap_samples)
    root &= (rows >= before) & (rows < len(traces) - after)
    at = np.flatnonzero(root)
    found = _group(
        traces,
        rows,
        channels,
        peaks["offset"].astype(np.float64),
        strength,
        np.ascontiguousarray(peaks["probability"]),
        at,
        neighbors,
        (1.0 / noise_levels).astype(np.float32),
        window_samples,
    )
    latencies, amplitudes, probabilities, isolated, n_channels = found
    keep = n_channels < n_channels_noise
    out = np.zeros(np.count_nonzero(keep), codetection_dtype(neighbors.shape[1]))
    for name in NETWORK_PEAK_DTYPE.names or ():
        out[name] = peaks[name][at[keep]]
    out["sample_index"] = rows[at[keep]] + (start - before)
    detected = probabilities[keep] > 0
    out["n_inner"] = (detected & (np.arange(neighbors.shape[1]) < n_inner[channels[at[keep]], None])).sum(axis=1)
    out["n_loose"] = detected.sum(axis=1)
    for name, values in (("latencies", latencies), ("amplitudes", amplitudes), ("probabilities", probabilities)):
        out[name] = values[keep]
    out["isolated"] = isolated[keep]
    return out


@kernel
def _group(  # type: ignore[no-untyped-def]
    traces, rows, channels, offset, strength, probability, at, neighbors, scale, window
):
    """Latency, amplitude and probability per root and slot, whether it is isolated, and the channels in its window."""
    n_slots = neighbors.shape[1]
    latencies = zeros((len(at), n_slots), np.float32)
    amplitudes = zeros((len(at), n_slots), np.float32)
    probabilities = zeros((len(at), n_slots), np.float32)
    isolated = full(len(at), True, np.bool_)
    n_channels = zeros(len(at), np.int64)
    slot_of = full(neighbors.shape[0], -1, np.int64)
    seen = full(neighbors.shape[0], -1, np.int64)
    first = 0
    for i in range(len(at)):
        root = at[i]
        row, own = rows[root], channels[root]
        sign = np.float32(-1.0) if traces[row, own] < 0 else np.float32(1.0)
        for slot in range(n_slots):
            c = neighbors[own, slot]
            if c >= 0:
                slot_of[c] = slot
                amplitudes[i, slot] = max(np.float32(0.0), sign * traces[row, c] * scale[c])
        while rows[first] < row - window:
            first += 1
        j = first
        while j < len(rows) and rows[j] <= row + window:
            c = channels[j]
            if seen[c] != i:
                seen[c] = i
                n_channels[i] += 1
            slot = slot_of[c]
            if slot >= 0 and (slot > 0 or j == root):
                if strength[j] > strength[root]:
                    isolated[i] = False
                # The largest detection of a channel within the window is taken for that of the spike.
                if probabilities[i, slot] == 0 or strength[j] > amplitudes[i, slot]:
                    latencies[i, slot] = (rows[j] - row) + (offset[j] - offset[root])
                    amplitudes[i, slot] = strength[j]
                    probabilities[i, slot] = probability[j]
            j += 1
        for slot in range(n_slots):
            if neighbors[own, slot] >= 0:
                slot_of[neighbors[own, slot]] = -1
    return latencies, amplitudes, probabilities, isolated, n_channels
