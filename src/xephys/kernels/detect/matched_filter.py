"""Detect spikes by matching a prototype waveform in time and a decaying footprint in space.

The traces are correlated with a unit-norm prototype. At each channel, the result is summed over the channels that would
see a source there, at each of several depths. A score that reaches its threshold and is a local maximum in time is a
candidate, and candidates compete as in `xephys.kernels.detect.peaks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.matched_filter_scores import correlate_all, scan_scores
from xephys.kernels.detect.peaks import PEAK_DTYPE, suppress_weaker
from xephys.kernels.detect.threshold_scan import PeakSign
from xephys.kernels.lib.constants import MAD_OF_NORMAL
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.footprints import exponential_footprints

MATCHED_PEAK_DTYPE = np.dtype([*PEAK_DTYPE.descr, ("depth_index", "<i8")])
"""Peak record with the index of the depth whose footprint matched best."""

#: A candidate this many times as strong suppresses its echoes beyond the channels that compete with it, too.
ECHO_RATIO = 3.0

# Median absolute deviation of a standard normal variable.


def matched_filter_halo(*, prototype_length: int, nbefore: int, exclude_sweep_samples: int) -> tuple[int, int]:
    """Number of samples that matched-filter detection needs before and after its core.

    Parameters
    ----------
    prototype_length, nbefore : int
        Samples of the prototype, and those before the spike.
    exclude_sweep_samples : int
        Half width of the exclusion window.

    Returns
    -------
    before, after : int

    Examples
    --------
    >>> matched_filter_halo(prototype_length=60, nbefore=20, exclude_sweep_samples=30)
    (51, 70)
    """
    sweep = exclude_sweep_samples + 1
    return sweep + nbefore, sweep + prototype_length - nbefore - 1


def matched_filter_weights(
    positions: NDArray[np.float64],
    *,
    depths_um: NDArray[np.float64] | None = None,
    decay_um: float = 2.5,
    n_nearest: int | None = None,
    good: NDArray[np.bool_] | None = None,
) -> dict[str, NDArray[Any]]:
    """Spatial weights of a source at each channel and depth, as tables for `detect_matched_filtering`.

    Parameters
    ----------
    positions : float64 (channel, 2)
        Contact positions, µm.
    depths_um : float64 (depth,), optional
        Distances of the sources from the contact plane; 0, 30, 60, 90 and 120 by default.
    decay_um : float
        Decay of the weights with distance.
    n_nearest : int, optional
        Maximum number of channels per row, nearest first; by default, all with a non-zero weight.
    good : bool (channel,), optional
        False for channels that must neither give peaks nor contribute to scores (bad channels).

    Returns
    -------
    dict of ndarray
        ``weight_offsets``, ``weight_channels``, ``weights``: one sparse row for each channel and depth, at
        ``channel * depths + depth``. Rows have unit norm; those of bad channels are empty.

    Examples
    --------
    >>> tables = matched_filter_weights(np.array([[0.0, 0.0], [0.0, 20.0]]), depths_um=np.array([0.0, 60.0]))
    >>> tables["weight_offsets"].tolist(), tables["weight_channels"].tolist()
    ([0, 1, 2, 3, 4], [0, 0, 1, 1])
    """
    depths = np.linspace(0.0, 120.0, 5) if depths_um is None else np.asarray(depths_um, dtype=np.float64)
    used = np.flatnonzero(np.ones(len(positions), dtype=bool) if good is None else good)
    distances = np.linalg.norm(positions[used, np.newaxis] - positions[used], axis=2)
    footprints = exponential_footprints(distances, depths_um=depths, decay_um=decay_um)
    if n_nearest is not None and n_nearest < used.size:
        far = np.argsort(distances, axis=1, kind="stable")[:, n_nearest:]
        np.put_along_axis(footprints, far[:, np.newaxis], 0.0, axis=2)
        footprints /= np.linalg.norm(footprints, axis=2, keepdims=True)
    source, depth, channel = np.nonzero(footprints)
    rows = used[source] * depths.size + depth
    return {
        "weight_offsets": np.searchsorted(rows, np.arange(len(positions) * depths.size + 1)).astype(np.int64),
        "weight_channels": used[channel].astype(np.int32),
        "weights": footprints[source, depth, channel].astype(np.float32),
    }


def matched_filter_thresholds(
    excerpts: Sequence[NDArray[np.float32]],
    *,
    prototype: NDArray[np.floating[Any]],
    weight_offsets: NDArray[np.int64],
    weight_channels: NDArray[np.int32],
    weights: NDArray[np.float32],
    detect_threshold: float = 5.0,
) -> NDArray[np.float64]:
    """Fit the thresholds of the scores on sampled traces: |median| + `detect_threshold` × MAD / 0.674.

    Parameters
    ----------
    excerpts : sequence of float32 (sample, channel)
        Excerpts of the traces, each longer than the prototype.
    prototype : float (T,)
        Prototype waveform; brought to unit norm here and in detection.
    weight_offsets, weight_channels, weights
        The tables from `matched_filter_weights`.
    detect_threshold : float
        Threshold in robust standard deviations of the score.

    Returns
    -------
    float64 (channel, depth)
        Thresholds; NaN, which no score reaches, where a score never varies (bad or constant channels).

    Raises
    ------
    ValueError
        If an excerpt is shorter than the prototype.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((5000, 2)).astype(np.float32)
    >>> tables = matched_filter_weights(np.array([[0.0, 0.0], [0.0, 20.0]]))
    >>> matched_filter_thresholds([noise], prototype=np.array([-1.0, -2.0, -1.0]), **tables).shape
    (2, 5)
    """
    taps = unit_norm(prototype)
    short = min(len(excerpt) for excerpt in excerpts)
    if short < taps.size:
        raise ValueError(f"an excerpt has {short} samples; give at least the {taps.size} of the prototype")
    n_channels = excerpts[0].shape[1]
    filtered = np.concatenate([correlate_all(excerpt, taps) for excerpt in excerpts], axis=1)
    thresholds = np.full(weight_offsets.size - 1, np.nan)
    for row in range(thresholds.size):
        entries = slice(weight_offsets[row], weight_offsets[row + 1])
        score = weights[entries] @ filtered[weight_channels[entries]]
        median = np.median(score)
        spread = np.median(np.abs(score - median)) / MAD_OF_NORMAL
        if spread > 0:
            thresholds[row] = abs(median) + detect_threshold * spread
    return thresholds.reshape(n_channels, -1)


@with_device_twin
def detect_matched_filtering(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    prototype: NDArray[np.floating[Any]],
    nbefore: int,
    weight_offsets: NDArray[np.int64],
    weight_channels: NDArray[np.int32],
    weights: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    echo_neighbors: NDArray[np.int32] | None = None,
) -> NDArray[np.void]:
    """Detect peaks whose shape matches the prototype and whose footprint matches that of a source near a channel.

    A candidate is kept if no candidate on a neighbor channel within the sweep, at any depth, has a larger ratio score /
    threshold. Among equal ratios the earlier sample wins, then the lower channel, then the smaller depth.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows, at least those of `matched_filter_halo`.
    start : int
        Absolute index of the first core sample.
    prototype : float (T,)
        Prototype waveform; entry `nbefore` is the spike's sample and has the sign of `peak_sign`.
    nbefore : int
        Samples of the prototype before the spike.
    weight_offsets, weight_channels, weights
        The tables from `matched_filter_weights`.
    thresholds : float64 (channel, depth)
        From `matched_filter_thresholds`; NaN excludes a score.
    neighbors : int32 (channel, k)
        Channels that compete with each channel, itself included, padded with -1.
    peak_sign : {"neg", "pos", "both"}
        With "both", the inverted prototype is matched too.
    exclude_sweep_samples : int
        Half width of the exclusion window.
    echo_neighbors : int32 (channel, k), optional
        Channels on which a candidate `ECHO_RATIO` times as strong suppresses this channel's candidates, padded with -1:
        a large spike is seen beyond the reach of competition between small ones.

    Returns
    -------
    structured ndarray
        `MATCHED_PEAK_DTYPE` records of the core, sorted by sample, then channel; ``amplitude`` is the value of the
        trace.

    Raises
    ------
    ValueError
        If the halo is too short, the prototype has the wrong sign, or a threshold is not positive.

    Examples
    --------
    >>> traces = np.zeros((60, 2), dtype=np.float32)
    >>> traces[29:32, 1] = -4, -9, -4
    >>> tables = matched_filter_weights(np.array([[0.0, 0.0], [0.0, 20.0]]), depths_um=np.array([0.0]))
    >>> peaks = detect_matched_filtering(
    ...     traces, before=12, after=12, start=0, prototype=np.array([-0.5, -1, -0.5]), nbefore=1, **tables,
    ...     thresholds=np.full((2, 1), 5.0), neighbors=np.array([[0, 1], [0, 1]], dtype=np.int32),
    ...     exclude_sweep_samples=10)
    >>> peaks["sample_index"], peaks["channel_index"], peaks["amplitude"]
    (array([18]), array([1]), array([-9.]))
    """
    check_arguments(before, after, prototype, nbefore, thresholds, peak_sign, exclude_sweep_samples)
    stop = len(traces) - after
    first, last = before - exclude_sweep_samples, stop + exclude_sweep_samples
    rows, channels, depths, ratios = scan_scores(
        traces,
        first,
        last,
        unit_norm(prototype),
        nbefore,
        weight_offsets,
        weight_channels,
        weights,
        thresholds,
        peak_sign == "both",
    )
    order = np.lexsort((depths, channels, rows))
    rows, channels, depths, ratios = rows[order], channels[order], depths[order], ratios[order]
    keep = suppress_weaker(rows, channels, ratios, neighbors, exclude_sweep_samples)
    if echo_neighbors is not None:
        keep &= suppress_weaker(rows, channels, ratios, echo_neighbors, exclude_sweep_samples, ECHO_RATIO)
    keep &= (rows >= before) & (rows < stop)
    peaks: NDArray[np.void] = np.empty(int(keep.sum()), dtype=MATCHED_PEAK_DTYPE)
    peaks["sample_index"] = rows[keep] + (start - before)
    peaks["channel_index"] = channels[keep]
    peaks["amplitude"] = traces[rows[keep], channels[keep]]
    peaks["segment_index"] = 0
    peaks["depth_index"] = depths[keep]
    return peaks


def check_arguments(
    before: int,
    after: int,
    prototype: NDArray[np.floating[Any]],
    nbefore: int,
    thresholds: NDArray[np.float64],
    peak_sign: PeakSign,
    exclude_sweep_samples: int,
) -> None:
    """Raise the errors documented in `detect_matched_filtering`."""
    needed = matched_filter_halo(
        prototype_length=prototype.size, nbefore=nbefore, exclude_sweep_samples=exclude_sweep_samples
    )
    if before < needed[0] or after < needed[1]:
        raise ValueError(
            f"halo is {before} samples before and {after} after; matched filtering needs {needed[0]} and {needed[1]}"
        )
    expected = {"neg": -1, "pos": 1}.get(peak_sign)
    if expected is not None and not prototype[nbefore] * expected > 0:
        raise ValueError(f"the prototype is {prototype[nbefore]} at the spike; peak_sign {peak_sign!r} needs that sign")
    if (thresholds <= 0).any():
        raise ValueError(f"a threshold is {thresholds.min()}; thresholds must be positive (NaN excludes a score)")


def unit_norm(prototype: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The taps that both detection and its thresholds use."""
    exact = prototype.astype(np.float64)
    return (exact / np.linalg.norm(exact)).astype(np.float32)
